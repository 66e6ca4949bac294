"""How the cost grows with the work, up to 1000 times of it: python -m benchmarks growth"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measure import Plot, Row
from viewer.plots import growth_plot, standalone

TIMES = (1, 10, 100, 1000)  # how many times the least work
REPETITIONS = 5

# A process for each series, from the least to the most, so that the peak of memory is that of the last size.
MEASURE = """
import json, resource, sys, tempfile, time
from pathlib import Path
import torch
from components.shards import Shard
from models.config import WorldModelConfig
from models.dataset import write_shard
from models.dream_figures import imagined
from models.process import prepare
from models.world_model import WorldModel
from sim_core.world import World

def data(episodes):
    shard = Shard(World(), seed=0, timesteps=0, original_share=0.0, first=0, episodes=episodes)
    with tempfile.TemporaryDirectory() as folder:
        write_shard(Path(folder), shard.made(), shard.world)

model = WorldModel(WorldModelConfig())

def dream(dreams, horizon):
    imagined(model, torch.zeros(dreams, 1, model.config.latent), torch.zeros(dreams, 1 + horizon, 2))

def peak():
    # Of this program alone: on Linux, what getrusage says begins with the peak of the process that started it.
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on a Mac

def seconds(work):
    begun = time.process_time()
    work()
    return time.process_time() - begun

prepare()
what, sizes, repetitions = json.loads(sys.argv[1])
grow = {"data": data, "horizon": lambda size: dream(64, size), "dreams": lambda size: dream(size, 8)}[what]
peaks, took = [], [[] for _ in sizes]
for size in sizes:
    grow(size)
    peaks.append(peak())
for _ in range(repetitions):
    for times, size in zip(took, sizes):
        runs = min(10, sizes[-1] // size)  # of the least work several, that they last
        times.append(seconds(lambda: [grow(size) for _ in range(runs)]) / runs)
print(json.dumps([took, peaks]))
"""
# What grows, as MEASURE calls it, its name, and the least of it.
SERIES = (
    ("data", "episodes of the dataset", 256),
    ("horizon", "horizon of a dream", 4),
    ("dreams", "dreams in a batch", 8),
)


def rows() -> Iterator[Row | Plot]:
    curves = {}
    for what, name, least in SERIES:
        took, memory = measure(what, [least * times for times in TIMES])
        seconds = [statistics.median(times) for times in took]
        tenfold = statistics.median(most / less for most, less in zip(took[-1], took[-2], strict=True))
        curves[name] = [each / seconds[0] for each in seconds]
        steps = ", ".join(f"{times} times: {grown:.3g}" for times, grown in zip(TIMES, curves[name], strict=True))
        # Over the last tenfold: at the least sizes what a call costs at all hides how the cost grows.
        yield Row(
            f"{TIMES[-1]} times the {name}: time of each over that at {TIMES[-2]} times",
            f"{seconds[-1]:.2f} s ({steps})",
            f"{TIMES[-1] // TIMES[-2]} times {seconds[-2]:.3f} s",
            tenfold / (TIMES[-1] / TIMES[-2]),
            1.1,
            higher_is_better=False,
        )
        if what == "data":
            yield Row(
                f"{TIMES[-1]} times the {name}: peak of memory over that of the least",
                f"{memory[-1] / 1e6:.0f} MB",
                f"{memory[0] / 1e6:.0f} MB",
                memory[-1] / memory[0],
                1.1,
                higher_is_better=False,
            )
    yield Plot(
        "performance-growth.svg", "Time against work, as multiples of the least", standalone(growth_plot(TIMES, curves))
    )


def measure(what: str, sizes: list[int]) -> tuple[list[list[float]], list[float]]:
    """CPU seconds of each size, as often as they were taken in turns, and the peak of memory up to it in bytes."""
    command = [sys.executable, "-c", MEASURE, json.dumps([what, sizes, REPETITIONS])]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, stdout=subprocess.PIPE)
    took, peaks = json.loads(done.stdout)
    return took, peaks
