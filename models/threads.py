"""How many threads torch gets, and how they wait. No torch here: who starts a run asks first."""

import os

# Variables that are read when torch is imported. Threads that sleep until there is work are woken up too late: two take
# twice as long as one. Those that spin, by default for milliseconds, take up to twice as long where others are at the
# cores. A tenth of a millisecond is enough from one operation to the next, and costs a busy machine nothing. GNU's
# library, which is torch's on Linux, follows the second; the first is for the others.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000"}


def number_of_threads() -> int:
    """As OMP_NUM_THREADS says, by default one. Raises ValueError where that is no such number."""
    text = os.environ.get("OMP_NUM_THREADS", "1")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"OMP_NUM_THREADS must be a whole number of at least 1, got {text!r}")
    return int(text)
