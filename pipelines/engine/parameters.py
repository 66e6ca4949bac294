"""The types of a pipeline's parameters: what the command line says, what the spec holds, what a step returns."""

import difflib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from kfp.pipeline_spec.pipeline_spec_pb2 import ParameterType

from pipelines.engine.spec import Spec

_WORDS = {
    ParameterType.STRING: "a string",
    ParameterType.NUMBER_INTEGER: "an integer",
    ParameterType.NUMBER_DOUBLE: "a number",
    ParameterType.BOOLEAN: "true or false",
    ParameterType.LIST: "a list",
    ParameterType.STRUCT: "a dictionary",
}


def check_parameters(spec: Spec, given: Mapping[str, object]) -> dict[str, Any]:
    """All of the pipeline's parameters: those `given`, and the defaults of the others.

    An optional parameter that has no default and is not given is left out: the component's own default holds.

    Raises:
        ValueError: one sentence, for an unknown name, a value that is not allowed, or one that is missing.
    """
    for name, value in given.items():
        _check_value(name, value, _definition(spec, name))
    values = dict(given)
    definitions = spec.root.input_definitions
    for name, definition in sorted(definitions.parameters.items()):
        if name in given:
            continue
        if definition.HasField("default_value"):
            values[name] = cast(constant(definition.default_value), definition.parameter_type, name)
        elif not definition.is_optional:
            raise ValueError(f"pipeline {spec.name!r} needs a value for its parameter {name!r} ({_words(definition)})")
    for name, artifact in sorted(definitions.artifacts.items()):
        if not artifact.is_optional:
            raise ValueError(
                f"pipeline {spec.name!r} needs the artifact {name!r}, which a run in-process cannot be given"
            )
    return values


def parse_parameter(spec: Spec, name: str, text: str) -> object:
    """The value that `text` (a command line's NAME=VALUE) stands for; lists and dictionaries are written as JSON.

    Raises:
        ValueError: one sentence, for an unknown name or a text that is no value of the parameter's type.
    """
    definition = _definition(spec, name)
    try:
        value = cast(text, definition.parameter_type, name)
    except ValueError:
        raise ValueError(f"parameter {name!r} must be {_words(definition)}, got {text!r}") from None
    _check_value(name, value, definition)
    return value


def cast(value: Any, kind: int, name: str) -> Any:
    """`value` as the parameter type `kind`, the way KFP's backend converts it between tasks.

    A string is read as JSON where another type is wanted, anything is written as JSON where a string is wanted, and
    whole numbers (a compiled spec has 3.0 for 3) become integers.

    Raises:
        ValueError: the value is none of that type.
    """
    if kind == ParameterType.STRING:
        return value if isinstance(value, str) else json.dumps(value)
    if kind not in _WORDS:
        return value
    if isinstance(value, str):
        try:
            # a bool written by str() is as good as JSON's, as in KFP
            value = json.loads(value.lower() if kind == ParameterType.BOOLEAN else value)
        except (json.JSONDecodeError, RecursionError):
            raise ValueError(f"{name!r} must be {_WORDS[kind]}, got {value!r}") from None
    if kind == ParameterType.NUMBER_INTEGER and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not _IS[kind](value):
        raise ValueError(f"{name!r} must be {_WORDS[kind]}, got {value!r}")
    return float(value) if kind == ParameterType.NUMBER_DOUBLE else value


def constant(message: Any) -> Any:
    """A protobuf Value as plain data. Its numbers are floats: whole ones become integers, as in the backend's JSON."""
    return _whole_numbers(MessageToDict(message))


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_IS: dict[int, Callable[[Any], bool]] = {
    ParameterType.STRING: lambda value: isinstance(value, str),
    ParameterType.NUMBER_INTEGER: lambda value: _is_number(value) and isinstance(value, int),
    ParameterType.NUMBER_DOUBLE: _is_number,
    ParameterType.BOOLEAN: lambda value: isinstance(value, bool),
    ParameterType.LIST: lambda value: isinstance(value, list),
    ParameterType.STRUCT: lambda value: isinstance(value, dict),
}


def _definition(spec: Spec, name: str) -> Any:
    definitions = spec.root.input_definitions.parameters
    if name in definitions:
        return definitions[name]
    known = sorted(definitions)
    nearest = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"it has {', '.join(known) or 'none'}"
    raise ValueError(f"pipeline {spec.name!r} has no parameter {name!r}; {hint}")


def _check_value(name: str, value: object, definition: Any) -> None:
    kind = definition.parameter_type
    of_its_type = kind in _IS and _IS[kind](value)
    finite = not isinstance(value, float) or math.isfinite(value)
    allowed = not definition.literals or value in [constant(literal) for literal in definition.literals]
    if not (of_its_type and finite and allowed):
        raise ValueError(f"parameter {name!r} must be {_words(definition)}, got {value!r}")


def _words(definition: Any) -> str:
    if definition.literals:
        return "one of " + ", ".join(repr(constant(literal)) for literal in definition.literals)
    return _WORDS.get(definition.parameter_type, "set by a pipeline, never by hand")
