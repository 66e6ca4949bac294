"""What holds for every test: one quiet thread, as on a run, and signatures whose shapes are checked at every call.

Also a storage server for those that ask for a `bucket`.
"""

import os
import signal
from collections.abc import Iterator
from itertools import count

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported, and by the processes that tests start

import pytest
from jaxtyping import install_import_hook
from storage_server import Proxy, faulty_server

import models.config  # noqa: F401  before the rest, for it has no shapes and says itself what is wrong with a value

# What is imported from here on is checked; an int may stand where a float is asked for.
CHECK = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook(["models", "sim_core"], CHECK)

from models.process import prepare  # noqa: E402

prepare()
# As in a terminal, here and in what tests start: what a script runs in its background ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

NAMES = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Proxy]:
    """A real storage server behind a proxy, which can be told to `inject` faults."""
    with faulty_server() as proxy:
        yield proxy


@pytest.fixture
def bucket(server, monkeypatch) -> Iterator[str]:
    """The URI of an empty bucket, which this process and those that it starts find at the server."""
    from components.storage.bucket import client

    server.inject()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    client.cache_clear()
    name = f"bucket-{next(NAMES)}"
    client().create_bucket(name)
    yield f"gs://{name}"
    server.inject()
    client.cache_clear()
