"""What every `python -m` of the project has in common: how its help is laid out, and how Ctrl-C ends it."""

import argparse
import functools
import sys
from collections.abc import Callable
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
