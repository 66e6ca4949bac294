"""What every `python -m` of the project has in common: how its help is laid out, how Ctrl-C ends it, and that a file
which cannot be written costs no work.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

STOPPED, TERMINATED = 130, 143  # exit codes of a process that SIGINT or SIGTERM ends, as shells count them
Arguments = ParamSpec("Arguments")


def command_parser(module: str, description: str, examples: str) -> argparse.ArgumentParser:
    """The parser of `python -m module`, whose help keeps the lines of the description and of the examples below it."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def require_writable(file: Path) -> None:
    """Raise a ValueError for a file that cannot be written: before the work that would be lost."""
    there = file.exists()
    try:
        with file.open("a"):
            pass
    except OSError as error:
        raise ValueError(f"{file} cannot be written: {error.strerror}") from error
    if not there:
        file.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder, unless it is there. Raises a ValueError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} cannot be made: {error.strerror}") from error


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does, so that what it has begun is put away."""


def terminate(number: int, frame: object) -> None:
    """The handler of SIGTERM for commands that have something to put away."""
    raise Terminated


def stopped(stop: KeyboardInterrupt, hint: str = "") -> int:
    """Say what the process was stopped by, and return its exit code."""
    by, code = ("SIGTERM", TERMINATED) if isinstance(stop, Terminated) else ("Ctrl-C", STOPPED)
    print(f"\nstopped by {by}{hint}", file=sys.stderr)
    return code


def stoppable(main: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """`main`, a command's, which Ctrl-C ends with a line on stderr and the exit code 130, and without a traceback."""

    @functools.wraps(main)
    def quiet(*arguments: Arguments.args, **options: Arguments.kwargs) -> int:
        try:
            return main(*arguments, **options)
        except KeyboardInterrupt as stop:
            return stopped(stop)

    return quiet
