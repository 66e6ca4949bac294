"""What a second thread brings to a training, in wall time: python -m benchmarks threads"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.measure import Paired, Row, paired
from benchmarks.training import STEPS, phases, take
from models.process import prepare
from models.steps import Steps
from models.threads import WAITING

ROOT = Path(__file__).parents[1]
STATISTICS = Path("/proc/stat")  # of Linux
PAIRS = 5  # of turns of a second or so


def rows() -> Iterator[Row]:
    """The phases of a training, measured in a process of its own: how threads wait is settled when it starts."""
    busy = cores_at_work()
    environment = {**os.environ, **WAITING, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "benchmarks.threads"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    for name, times in json.loads(done.stdout).items():
        yield compared(name, Paired(**times), busy, os.cpu_count() or 1)


def cores_at_work(seconds: float = 1.0) -> float:
    """How many cores others keep busy: over some seconds in which nothing is done here. Where the system does not count
    that, the load average, in which there is still what was done here before.
    """
    try:
        before = _ticks()
        time.sleep(seconds)
        every, idle = (now - then for now, then in zip(_ticks(), before, strict=True))
        return (os.cpu_count() or 1) * (1 - idle / every)
    except (OSError, ValueError, IndexError, ZeroDivisionError):
        return os.getloadavg()[0]


def _ticks() -> tuple[int, int]:
    """Of all cores since the start of the system, and those of them without work."""
    ticks = [int(number) for number in STATISTICS.read_text().partition("\n")[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def compared(name: str, timed: Paired, busy: float, cores: int) -> Row:
    """The row of a phase: what a second thread brings depends on whether there is a core for it."""
    told = "" if busy <= cores - 1.5 else ", too many to tell what an idle machine gains"
    return Row(
        f"{name}, with --threads 2, wall time",
        f"{timed.measured / STEPS * 1e3:.1f} ms a step; others were at {busy:.1f} of {cores} cores{told}",
        f"with one thread: {timed.limit / STEPS * 1e3:.1f} ms",
        timed.share,
    )


def measured() -> dict[str, dict[str, float]]:
    """The `Paired` of each phase, two threads beside one, in short turns: both meet whatever else the machine does."""
    prepare()
    found = {}
    with TemporaryDirectory() as scratch:
        for name, phase in phases(Path(scratch)):
            steps = Steps(phase)
            chosen = [phase.steps * i // STEPS for i in range(STEPS)]

            def with_threads(number: int, steps: Steps = steps, chosen: list[int] = chosen) -> None:
                torch.set_num_threads(number)
                take(steps, chosen)

            timed = paired(partial(with_threads, 2), partial(with_threads, 1), pairs=PAIRS, clock=time.perf_counter)
            found[name] = asdict(timed)
    return found


if __name__ == "__main__":
    print(json.dumps(measured()))
