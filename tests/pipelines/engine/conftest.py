"""A compiled pipeline run in a folder of the test's own."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import compiler

from pipelines.engine.execute import execute
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
