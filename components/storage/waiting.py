"""Says on stderr that a storage is waited for: it is asked again for two minutes, and that in silence."""

import logging
import sys
import time

AFTER = 3.0  # seconds of it, of which most troubles last less
AGAIN = 30.0  # seconds until the same is said again, and without a request tried again until a trouble is another


def tell_of_retries() -> None:
    """Let whoever waits for a storage know. May be called again."""
    log = logging.getLogger("google.api_core.retry")  # at the level DEBUG it tells of each
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(_TELLER)


class _Teller(logging.Handler):
    """Tells of retries that go on for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.began = self.seen = self.told = -float("inf")

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if now - self.seen > AGAIN:
            self.began = now
        self.seen = now
        if now - self.began >= AFTER and now - self.told >= AGAIN:
            self.told = now
            cause = record.getMessage().removeprefix("Retrying due to ").rpartition(", sleeping")[0]
            print(f"  the storage does not answer, and is asked again: {cause}", file=sys.stderr, flush=True)


_TELLER = _Teller()  # one, which a logger takes but once
