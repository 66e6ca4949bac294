"""How far a step is: a bar on a terminal, else a line in the log now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

EVERY = 10.0  # seconds between lines of the log

# (what is done, so much of it, of how much, and a note), as in ("dynamics", 300, 9000, "loss 0.02")
Show = Callable[[str, int, int, str], None]


@contextmanager
def progress() -> Iterator[Show]:
    """Shows progress on stderr until the context ends."""
    bar: tqdm | None = None
    shown = time.monotonic()

    def draw(what: str, done: int, total: int, note: str) -> None:
        nonlocal bar
        if bar is None or bar.desc != what:
            if bar is not None:
                bar.close()
            bar = tqdm(desc=what, total=total, leave=False, dynamic_ncols=True)
        bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    def log(what: str, done: int, total: int, note: str) -> None:
        nonlocal shown
        if done == total or time.monotonic() - shown >= EVERY:
            print(f"  {what}: {done} of {total}{note and ', '}{note}", file=sys.stderr, flush=True)
            shown = time.monotonic()

    try:
        yield draw if sys.stderr.isatty() else log
    finally:
        if bar is not None:
            bar.close()
