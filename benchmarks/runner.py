"""What the in-process runner adds to its steps, beside plain calls and KFP's own runner: python -m benchmarks runner"""

import contextlib
import io
import itertools
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kfp import compiler, dsl, local

from benchmarks.measure import Row, children_time, paired
from pipelines.engine.execute import execute
from pipelines.engine.spec import load_spec

TASKS = 7  # as many as our pipeline has with two shards


@dsl.component(base_image="none", install_kfp_package=False)
def hand_on(number: int) -> int:
    return number


@dsl.pipeline(name="empty")
def empty():
    last = hand_on(number=0)
    for _ in range(TASKS - 1):
        last = hand_on(number=last.output)


def rows() -> Iterator[Row]:
    """CPU time, in memory where Linux offers it: a disk is as slow as others make it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        file = Path(folder) / "empty.yaml"
        compiler.Compiler().compile(empty, str(file))
        spec, numbers = load_spec(file), itertools.count()

        def ours():
            """Leaves a run that can be listed, resumed and reused."""
            execute(spec, {}, folder, f"run-{next(numbers)}", threads=1, cache=False)

        def calls():
            number = 0
            for _ in range(TASKS):
                number = hand_on.python_func(number)

        timing = paired(ours, calls)
        yield Row(
            f"in-process runner, an empty pipeline of {TASKS} tasks, in memory; CPU time it adds to a task",
            f"{1e3 * timing.measured:.1f} ms for all",
            f"{TASKS} direct calls of the functions: {1e3 * timing.limit:.4f} ms",
            1e3 * timing.difference / TASKS,
            20,
            5,
            unit="ms",
            higher_is_better=False,
        )

        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder)
        logging.disable(logging.WARNING)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            timing = paired(ours, empty, pairs=3, clock=lambda: time.process_time() + children_time())
        logging.disable(logging.NOTSET)
        yield Row(
            "the same, times as fast as KFP's own",
            f"{1e3 * timing.measured:.0f} ms",
            f"kfp.local.SubprocessRunner: {timing.limit:.1f} s",
            timing.share,
            20,
            50,
        )
