"""What a training does when it is told to stop: it finishes its step first, and hears of it behind a shell too."""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOPS = (signal.SIGTERM, signal.SIGINT)
_PR_SET_PDEATHSIG = 1  # Linux's prctl: the signal that a process is sent when its parent ends


def end_with_parent() -> None:
    """Have this process sent SIGTERM when its parent ends: a shell that is told to stop tells nobody else."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def stops_put_off() -> Iterator[Callable[[], bool]]:
    """Puts SIGTERM and SIGINT off until the block ends; it is given a function that tells whether one has come.

    Then they act as they would have. Only the main thread is told of signals: in others nothing is put off.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.getsignal(number) for number in _STOPS}
    heeded = {number: action for number, action in before.items() if action is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        for number, action in heeded.items():
            signal.signal(number, action)
    if came:
        signal.raise_signal(came[0])
        raise SystemExit(128 + came[0])  # a container's first process outlives a signal that it has no handler for
