"""The two places where a compiled spec holds an expression, conditions and selections: CEL, evaluated by cel-python."""

import json
from collections.abc import Mapping
from typing import Any


def holds(condition: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a task's trigger condition is true of the task's own input parameters.

    Raises:
        ValueError: it is no CEL expression, or none that these parameters decide.
    """
    value = _evaluate(condition, {"inputs": {"parameter_values": dict(parameters)}})
    if not isinstance(value, bool):
        raise ValueError(f"the condition {condition} must be true or false, got {value!r}")
    return value


def select(selector: str, value: Any) -> Any:
    """The part of `value` that a parameter expression selector names, as in `parseJson(string_value)["a"]`.

    Raises:
        ValueError: `value` has no such part.
    """
    return _evaluate(selector, {"string_value": value if isinstance(value, str) else json.dumps(value)})


def _evaluate(expression: str, names: Mapping[str, Any]) -> Any:
    import celpy  # only pipelines with conditions or selectors pay for it

    environment = celpy.Environment()
    functions: dict[str, Any] = {"parseJson": lambda text: celpy.json_to_cel(json.loads(text))}
    try:
        program = environment.program(environment.compile(expression), functions=functions)
        result = program.evaluate({name: celpy.json_to_cel(value) for name, value in names.items()})
    except (celpy.CELParseError, celpy.CELEvalError, json.JSONDecodeError) as error:
        reason = str(error.args[0]) if isinstance(error, celpy.CELEvalError) else "it is no CEL expression"
        raise ValueError(f"the expression {expression} cannot be evaluated: {' '.join(reason.split())}") from error
    return json.loads(celpy.CELJSONEncoder().encode(result))
