"""How fast a dataset goes to a bucket and back, beside `gcloud storage cp`: python tests/measure_storage.py

Both talk to the same server on loopback, which keeps everything in memory. Best of three each, in turns.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from storage_server import storage_server
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1]))  # of this checkout

from components import storage

FILES, MEGABYTES = 4, 125
ROUNDS = 3


def main() -> None:
    seconds: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch, storage_server() as port:
        os.environ |= {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"http://127.0.0.1:{port}/storage/v1/",
            "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        }
        from components.storage.bucket import client

        client().create_bucket("measured")
        dataset, copy = Path(scratch, "dataset"), Path(scratch, "copy")
        make(dataset)
        for number in range(ROUNDS):
            compare(dataset, copy, f"gs://measured/{number}", seconds)
    rows = [(what, min(times), FILES * MEGABYTES / min(times)) for what, times in seconds.items()]
    print(tabulate(rows, (f"{FILES} x {MEGABYTES} MB", "seconds", "MB/s"), floatfmt=("", ".2f", ".0f")))


def compare(dataset: Path, copy: Path, uri: str, seconds: dict[str, list[float]]) -> None:
    """Move the dataset once each way."""
    names = [file.name for file in sorted(dataset.iterdir())]
    ours, theirs = f"{uri}/ours", f"{uri}/theirs"
    seconds["up, publish"].append(timed(lambda: storage.publish(dataset, ours)))
    seconds["up, gcloud"].append(timed(lambda: gcloud([str(dataset / name) for name in names], f"{theirs}/")))
    seconds["down, fetch"].append(timed(lambda: storage.fetch(ours, copy)))
    seconds["down, gcloud"].append(timed(lambda: gcloud([f"{theirs}/{name}" for name in names], f"{copy}/")))
    shutil.rmtree(copy)
    storage.remove(uri)


def make(dataset: Path) -> None:
    """An artifact of bytes that do not compress."""
    draw = random.Random(0)
    with storage.writing(dataset) as folder:
        for number in range(FILES):
            with (folder / f"frames-{number}.npy").open("wb") as file:
                for _ in range(MEGABYTES):
                    file.write(draw.randbytes(1_000_000))


def gcloud(sources: list[str], destination: str) -> None:
    """Copy; not recursively, for which it asks the server what this one cannot answer."""
    subprocess.run(["gcloud", "storage", "cp", "-q", *sources, destination], check=True, capture_output=True)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
