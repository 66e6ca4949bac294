"""How soon the commands begin, beside Python and kfp alone: python -m benchmarks start_up"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import Row, children_time, paired

ROOT = Path(__file__).parents[1]


def rows() -> Iterator[Row]:
    """Whole processes, in CPU seconds, with all modules compiled before."""
    with tempfile.TemporaryDirectory() as folder:
        compiling = python("-m", "pipelines.compile", "-o", str(Path(folder) / "pipeline.yaml"))
        timing = paired(compiling, python("-c", "import kfp"), clock=children_time)
    yield Row(
        "python -m pipelines.compile",
        f"{1e3 * timing.measured:.0f} ms",
        f'python -c "import kfp": {1e3 * timing.limit:.0f} ms',
        timing.times,
        1.3,
        1.1,
        higher_is_better=False,
    )
    timing = paired(python("local_runner.py", "--help"), python("-c", "pass"), clock=children_time)
    yield Row(
        "python local_runner.py --help, beyond Python itself",
        f"{1e3 * timing.measured:.0f} ms",
        f"python -c pass: {1e3 * timing.limit:.0f} ms",
        1e3 * timing.difference,
        150,
        60,
        unit="ms",
        higher_is_better=False,
    )


def python(*arguments: str) -> Callable[[], object]:
    """A call of Python in the project's folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
