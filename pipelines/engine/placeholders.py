"""The placeholders in a compiled spec, as in `{{$.pipeline_job_name}}` or `{{$.inputs.parameters['x']}}`, replaced."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{\$\.(.+?)\}\}")
_PARAMETER = re.compile(r"inputs\.parameters\['(.+)'\]")


def fill(value: Any, parameters: Mapping[str, Any], known: Callable[[str], str | None]) -> Any:
    """`value` with the placeholders in its strings replaced, at any depth.

    Args:
        value: plain data out of the spec: a constant, a default, an environment variable.
        parameters: the values for `inputs.parameters['name']`; what is no string is written as JSON.
        known: what any other placeholder (`pipeline_job_name`) stands for; None leaves it as it is.

    Raises:
        ValueError: a parameter that a placeholder names has no value.
    """
    if isinstance(value, list):
        return [fill(item, parameters, known) for item in value]
    if isinstance(value, dict):
        return {fill(key, parameters, known): fill(item, parameters, known) for key, item in value.items()}
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        if parameter := _PARAMETER.fullmatch(match[1]):
            inserted = parameters.get(parameter[1])
            if inserted is None:
                raise ValueError(f"the text {value!r} names the parameter {parameter[1]!r}, which has no value")
            return inserted if isinstance(inserted, str) else json.dumps(inserted)
        return known(match[1]) or match[0]

    return _PLACEHOLDER.sub(replacement, value)
