"""Waiting for a run to end, over hours in which connections break and tokens expire."""

import sys
import time
from collections.abc import Callable

from pipelines.cluster.connection import Where, connected
from pipelines.cluster.errors import ClusterError
from pipelines.cluster.runs import ENDS, Run

EVERY = 5.0  # seconds between two looks at a run
PATIENCE = 300.0  # seconds that a lost connection is tried again for


def watch(where: Where, run_id: str, show: Callable[[Run], None]) -> Run:
    """The run once it has ended; `show` sees it each time that it is looked at.

    Raises:
        ClusterError: the cluster was lost, and could not be reached again for `PATIENCE`.
    """
    lost_at = None
    while True:
        try:
            with connected(where) as client:
                while True:
                    run = client.get_run(run_id)
                    lost_at = None
                    show(run)
                    if run.state in ENDS:
                        return run
                    time.sleep(EVERY)
        except ClusterError as error:
            if lost_at is None:
                lost_at = time.monotonic()
                print(f"{error}; trying again", file=sys.stderr, flush=True)
            if time.monotonic() - lost_at > PATIENCE:
                raise
            time.sleep(EVERY)
