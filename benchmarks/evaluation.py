"""How long an evaluation takes: python -m benchmarks evaluation"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row

ROOT = Path(__file__).parents[1]
EPISODES = 1000
PHASES = ("autoencoder", "dynamics", "decoder", "policy")
# The step in a process of its own, as on a cluster; it prints its CPU seconds, and those up to the figures.
EVALUATE = """
import sys, tempfile, time
from pathlib import Path
from components.configuration import resolve
from components.write_evaluation import write_evaluation
from models.process import prepare
prepare()
marks = {}
with tempfile.TemporaryDirectory() as folder:
    write_evaluation(
        Path("world_model"), Path("policy"), resolve("laptop", 0, {"evaluation.episodes": int(sys.argv[1])}), {},
        Path(folder), lambda part, done, parts, note: marks.update({part: time.process_time()}),
    )
print(time.process_time(), marks["figures"])
"""


def rows() -> Iterator[Row]:
    """With the pretrained weights, and as many losses to plot as a training leaves."""
    losses = [json.dumps({"step": step, "phase": phase, "loss": 1.0}) for phase in PHASES for step in range(100)]
    with tempfile.TemporaryDirectory() as folder:
        for part in ("world_model", "policy"):
            shutil.copytree(ROOT / "pretrained" / "coverage" / part, Path(folder) / part)
            (Path(folder) / part / "metrics.jsonl").write_text("\n".join(losses) if part == "policy" else "")
        done = subprocess.run(
            [sys.executable, "-c", EVALUATE, str(EPISODES)],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
    seconds, figures = map(float, done.stdout.split())
    yield Row(
        f"evaluation of {EPISODES} episodes on one core: figures, films and report; CPU seconds",
        f"{seconds:.1f} s, of them {figures:.1f} s up to the figures",
        "",
        seconds,
        30,
        10,
        unit="s",
        higher_is_better=False,
    )
