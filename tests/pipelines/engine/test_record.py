"""run.json and the folder of a run: what lies where, when it is written, and that two runs never share it.

python -m pytest tests/pipelines/engine/test_record.py
"""

import json
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from kfp import dsl

from pipelines.engine.execute import execute
from pipelines.engine.record import RunRecord

component = partial(dsl.component, base_image="python:3.11")


@component
def measure(number: int, metrics: dsl.Output[dsl.Metrics], data: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    assert not Path(data.path).exists()
    assert Path(data.path).parent.is_dir()
    sum(range(200_000))
    metrics.log_metric("error_px", number / 4)
    metrics.log_metric("unknown", float("nan"))
    Path(data.path).mkdir()
    (Path(data.path) / "part").write_text(str(number))


@dsl.pipeline(name="measuring")
def measuring(count: int = 2):
    measure(number=7)
    with dsl.ParallelFor([5, 6]) as number:
        with dsl.ParallelFor([1, 2, 3]) as other:
            measure(number=other)
        measure(number=number)


def test_outputs_lie_by_pipeline_run_task_and_iteration(run, tmp_path):
    run(measuring)
    place = tmp_path / "root" / "measuring" / "first"
    assert (place / "measure" / "0" / "data" / "part").read_text() == "7"
    assert (place / "measure-3" / "1" / "data" / "part").read_text() == "6"
    assert (place / "measure-2" / "1-2" / "data" / "part").read_text() == "3"
    names = {path.name for path in place.iterdir()}
    assert names == {"run.json", ".attempts", "measure", "measure-2", "measure-3"}


def test_run_json_says_what_was_run_and_what_came_of_it(run, tmp_path):
    run(measuring, count=5)
    place = tmp_path / "root" / "measuring" / "first"
    written = json.loads((place / "run.json").read_text(), parse_constant=pytest.fail)
    tasks = written.pop("tasks")
    assert datetime.fromisoformat(written.pop("started")).tzinfo
    assert written.pop("seconds") > 0
    assert written == {
        "schema": 1,
        "pipeline": "measuring",
        "run_id": "first",
        "state": "SUCCEEDED",
        "threads": 1,
        "parameters": {"count": 5},
        "attempt": 1,
    }
    (first,) = [task for task in tasks if task["name"] == "measure"]
    assert first.pop("cpu_seconds") > 0
    assert first.pop("seconds") > 0
    assert first == {
        "name": "measure",
        "execution": "0",
        "state": "SUCCEEDED",
        "cached_from": None,
        "parameters": {"number": 7},
        "artifacts": {
            "data": {"type": "system.Dataset", "uri": str(place / "measure" / "0" / "data")},
            "metrics": {"type": "system.Metrics", "uri": str(place / "measure" / "0" / "metrics")},
        },
        "metrics": {"error_px": 1.75, "unknown": None},
        "error": None,
    }
    assert {(task["name"], task["execution"]) for task in tasks} == {
        ("measure", "0"),
        *(("measure-2", f"{outer}-{inner}") for outer in range(2) for inner in range(3)),
        *(("measure-3", str(outer)) for outer in range(2)),
    }


def test_every_change_is_on_disk_when_the_caller_is_told(compiled, tmp_path):
    seen = []

    def on_change(record: RunRecord) -> None:
        file = tmp_path / "measuring" / "first" / "run.json"
        written = json.loads(file.read_text())
        assert written["state"] == record.state
        assert [task["state"] for task in written["tasks"]] == [task.state for task in record.tasks]
        assert [path.name for path in file.parent.iterdir() if path.is_file()] == ["run.json"]
        seen.append((written["state"], [task["state"] for task in written["tasks"]]))

    execute(compiled(measuring), {}, tmp_path, "first", threads=1, on_change=on_change)
    assert seen[:3] == [("RUNNING", []), ("RUNNING", ["RUNNING"]), ("RUNNING", ["SUCCEEDED"])]
    assert seen[-1] == ("SUCCEEDED", ["SUCCEEDED"] * 9)


def test_a_relative_root_gives_absolute_uris(compiled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = execute(compiled(measuring), {}, Path("root"), "first", threads=1)
    assert all(Path(task.artifacts["data"]["uri"]).is_relative_to(tmp_path / "root") for task in record.tasks)


def test_a_run_id_that_exists_is_refused_and_left_alone(compiled, tmp_path):
    spec = compiled(measuring)
    execute(spec, {}, tmp_path, "first", threads=1)
    before = (tmp_path / "measuring" / "first" / "run.json").read_bytes()
    with pytest.raises(ValueError, match="the run 'first' exists already"):
        execute(spec, {}, tmp_path, "first", threads=1)
    assert (tmp_path / "measuring" / "first" / "run.json").read_bytes() == before


@pytest.mark.parametrize("run_id", ["", "..", "../x", "a/b", ".hidden", "a b", "a\n"])
def test_a_run_id_that_is_no_folders_name_is_refused(compiled, tmp_path, run_id):
    with pytest.raises(ValueError, match="a run id is made of letters"):
        execute(compiled(measuring), {}, tmp_path / "root", run_id, threads=1)
    assert not (tmp_path / "root").exists()


def test_a_root_that_cannot_be_written_is_refused_in_one_sentence(compiled, tmp_path):
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        with pytest.raises(ValueError, match=f"the root {root} cannot be written"):
            execute(compiled(measuring), {}, root, "first", threads=1)


def test_a_wrong_parameter_is_refused_before_a_folder_is_made(compiled, tmp_path):
    with pytest.raises(ValueError, match="'count' must be an integer"):
        execute(compiled(measuring), {"count": "many"}, tmp_path / "root", "first", threads=1)
    assert not (tmp_path / "root").exists()
