"""Ctrl-C, which ends every command line of the project in the same way."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

STOPPED = 130  # the exit code of a process that SIGINT ends, as shells count it
Arguments = ParamSpec("Arguments")


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
