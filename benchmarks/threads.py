"""What a second thread brings to a training: python -m benchmarks threads"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measure import Row

PAIRS = 3
# The wall seconds of a short training of all phases, alone in a process: threads are set once.
TRAIN = """
import tempfile, time
from pathlib import Path
from models.config import WorldModelConfig, WorldModelTraining
from models.dataset import Dataset, write_shard
from models.process import prepare
from models.train_world_model import train_world_model
from sim_core.episodes import random_episodes
from sim_core.world import World
prepare()
with tempfile.TemporaryDirectory() as folder:
    write_shard(Path(folder), [random_episodes("training", range(256), 16, World())], World())
    begun = time.perf_counter()
    short = WorldModelTraining(autoencoder_steps=60, dynamics_steps=60, decoder_steps=20)
    train_world_model(WorldModelConfig(), short, Dataset([Path(folder)]), Path(folder) / "training")
    print(time.perf_counter() - begun)
"""


def rows() -> Iterator[Row]:
    pairs = [(seconds(2), seconds(1)) for _ in range(PAIRS)]
    two, one = (statistics.median(column) for column in zip(*pairs, strict=True))
    busy = os.getloadavg()[0]
    idle = "" if busy < 1.5 else f"; the machine was busy, load average {busy:.1f}"
    yield Row(
        "a short training of the world model with --threads 2",
        f"{two:.1f} s{idle}",
        f"with one thread: {one:.1f} s",
        statistics.median(limit / measured for measured, limit in pairs),
    )


def seconds(threads: int) -> float:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run([sys.executable, "-c", TRAIN], env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])
