"""A compiled pipeline run in a folder of the test's own, and runs of the pipeline in `working.py`."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import compiler
from working import start, until, working

from pipelines.engine.execute import TaskFailed, execute
from pipelines.engine.record import RunRecord
from pipelines.engine.spec import Spec, load_spec


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[Any], Spec]:
    """Compiles what dsl.pipeline or dsl.component made, writes it and loads it."""

    def compiled(pipeline: Any) -> Spec:
        with warnings.catch_warnings(action="ignore"):
            compiler.Compiler().compile(pipeline, str(tmp_path / "pipeline.yaml"))
        return load_spec(tmp_path / "pipeline.yaml")

    return compiled


@pytest.fixture
def run(compiled: Callable[[Any], Spec], tmp_path: Path) -> Callable[..., RunRecord]:
    """Compiles a pipeline and runs it under `tmp_path / "root"`, by the run id "first"."""

    def run(pipeline: Any, **parameters: object) -> RunRecord:
        return execute(compiled(pipeline), parameters, tmp_path / "root", "first", threads=1)

    return run


@pytest.fixture(params=["folder", "bucket"])
def root(request, tmp_path):
    return f"{request.getfixturevalue('bucket')}/runs" if request.param == "bucket" else str(tmp_path / "runs")


@pytest.fixture
def file(tmp_path):
    """The compiled pipeline, whose work fails."""
    (tmp_path / "broken").touch()
    compiler.Compiler().compile(working, str(tmp_path / "working.yaml"))
    return tmp_path / "working.yaml"


@pytest.fixture
def broken(file, root):
    """A run that has failed half-way."""
    spec = load_spec(file)
    with pytest.raises(TaskFailed, match="it is broken"):
        execute(spec, {"folder": str(file.parent)}, root, "first", threads=1)
    (file.parent / "broken").unlink()
    return spec


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def at_work(file, root, log):
    """A process in the middle of the work."""
    (file.parent / "broken").unlink()
    (file.parent / "wait").touch()
    with start(file, root) as process:
        until(lambda: log.exists() and "work" in log.read_text(), process)
        yield process
        process.kill()
