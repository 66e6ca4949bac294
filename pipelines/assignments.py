"""NAME=VALUE, as the command lines take it with --set."""

import json
from collections.abc import Sequence
from typing import Any


def named(assignments: Sequence[str]) -> list[tuple[str, str]]:
    """The names and texts of NAME=VALUE."""
    for assignment in assignments:
        if "=" not in assignment:
            raise ValueError(f"--set takes NAME=VALUE, got {assignment!r}")
    return [(name, text) for name, _, text in (assignment.partition("=") for assignment in assignments)]


def require_form(name: str, value: Any) -> None:
    """Raise a ValueError if what is set is no setting, but a whole part of the configuration, or some other object."""
    from components.configuration import settings  # brings NumPy, and a cluster is told its settings without it

    parts = {setting.partition(".")[0] for setting in settings()}
    if name in parts or (isinstance(value, dict) and "." not in name):
        given = f"{name}={json.dumps(value):.80}"
        raise ValueError(f"--set takes settings as part.name=value, such as policy_training.steps=800, got {given!r}")


def plain_value(text: str) -> Any:
    """What JSON makes of it: a number, a list; anything else is a text.

    Raises:
        ValueError: it is nested more deeply than JSON is read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f"--set takes no value that is nested so deeply, got {text[:20]!r}...") from None
    except ValueError:
        return text
