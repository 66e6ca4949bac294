"""How many threads torch gets, and how they wait. No torch here: who starts a run asks first."""

import os

# Read when torch is imported, the first by GNU's library, torch's on Linux, the second by LLVM's, its on macOS. Threads
# that sleep until there is work are woken up too late: two take twice as long as one. Those that spin, for milliseconds
# if nothing else is said, take up to 30 times as long where others are at the cores. A tenth of a millisecond is enough
# from one operation to the next, and costs a busy machine little.
WAITING = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "100us"}


def number_of_threads() -> int:
    """As OMP_NUM_THREADS says, by default one. Raises ValueError where that is no such number."""
    text = os.environ.get("OMP_NUM_THREADS", "1")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"OMP_NUM_THREADS must be a whole number of at least 1, got {text!r}")
    return int(text)
