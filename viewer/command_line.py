"""What every `python -m` of the project has in common: how its help is laid out, how Ctrl-C ends it, and that a file
which cannot be written costs no work.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

STOPPED = 130  # the exit code of a process that SIGINT ends, as shells count it
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


def stoppable(main: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """`main`, a command's, which Ctrl-C ends with a line on stderr and the exit code 130, and without a traceback."""

    @functools.wraps(main)
    def quiet(*arguments: Arguments.args, **options: Arguments.kwargs) -> int:
        try:
            return main(*arguments, **options)
        except KeyboardInterrupt:
            print("\nstopped by Ctrl-C", file=sys.stderr)
            return STOPPED

    return quiet
