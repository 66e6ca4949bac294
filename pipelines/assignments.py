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
