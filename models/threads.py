"""How many threads torch gets. No torch here: who starts a run asks first."""

import os


def number_of_threads() -> int:
    """As OMP_NUM_THREADS says, by default one. Raises ValueError where that is no such number."""
    text = os.environ.get("OMP_NUM_THREADS", "1")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"OMP_NUM_THREADS must be a whole number of at least 1, got {text!r}")
    return int(text)
