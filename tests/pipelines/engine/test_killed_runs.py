"""Runs whose processes were killed, at any moment: they go on, can be removed, and leave no litter.

python -m pytest tests/pipelines/engine/test_killed_runs.py
"""

import json
import os
import signal
from pathlib import Path

import pytest
from working import read_json, start, until

from components import storage
from pipelines.engine import attempts
from pipelines.engine.attempts import ATTEMPTS
from pipelines.engine.execute import execute, resume
from pipelines.engine.housekeeping import prune, runs
from pipelines.engine.spec import load_spec
from pipelines.engine.walk import Walk

# Before the script: a process that is killed when it is to put `run.json` in its place for the n-th time.
KILLED = """
import os, pathlib, signal
left = [{times}]
def killing(place):
    def placed(path, target):
        left[0] -= target.name == "run.json"
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return place(path, target)
    return placed
os.link, pathlib.Path.rename = killing(os.link), killing(pathlib.Path.rename)
"""


def test_a_run_whose_process_was_killed_goes_on(at_work, file, root, log):
    at_work.send_signal(signal.SIGKILL)
    until(lambda: Path(f"/proc/{at_work.pid}/stat").read_text().split()[2] == "Z")  # and nobody has asked after it
    (file.parent / "wait").unlink()
    assert read_json(f"{root}/working/first/run.json")["state"] == "RUNNING"
    assert resume(load_spec(file), root, "first").state == "SUCCEEDED"
    assert log.read_text() == "begin work work end with 8 "


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.parametrize(("times", "how"), [(1, "begin"), (2, "resume"), (5, "resume")])
def test_a_run_killed_while_its_record_was_written_holds_no_litter_once_it_has_gone_on(file, root, times, how):
    (file.parent / "broken").unlink()
    run = Path(root) / "working" / "first"
    with start(file, root, before=KILLED.format(times=times)) as process:
        assert process.wait() == -signal.SIGKILL
    (litter,) = run.rglob("*incoming*")
    assert litter.name.startswith(".run.json.")
    with start(file, root, how) as process:
        assert process.wait() == 0, process.stderr.read()
    assert not list(run.rglob("*incoming*"))
    assert read_json(run / "run.json")["state"] == "SUCCEEDED"


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.parametrize("how", ["begin", "resume", "prune"])
def test_what_killed_processes_left_where_many_write_goes_when_it_is_old(broken, file, root, how):
    pipeline = Path(root) / "working"
    attempts_folder = pipeline / ("second" if how == "begin" else "first") / ATTEMPTS
    now = (pipeline / "first" / "run.json").stat().st_mtime
    for folder in (pipeline / "cache", attempts_folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, age in (("old", 7200), ("new", 0)):
            (folder / f".{name}.json.1f.incoming").touch()
            os.utime(folder / f".{name}.json.1f.incoming", (now - age, now - age))
    if how == "begin":
        execute(broken, {"folder": str(file.parent)}, root, "second", threads=1)
    elif how == "resume":
        resume(broken, root, "first")
    else:
        prune(root, ["first"], force=True)
    left = {path.parent.name for path in pipeline.rglob("*.incoming")}
    assert left == ({"cache"} if how == "prune" else {"cache", ATTEMPTS})
    assert {path.name for path in pipeline.rglob("*.incoming")} == {".new.json.1f.incoming"}


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.fixture(params=["before it was at it", "before it changed anything"])
def killed_at_once(request, file, root, monkeypatch):
    """A new run whose process was killed as it began."""
    spec = load_spec(file)
    before = request.param == "before it was at it"
    monkeypatch.setattr(*((attempts, "enter") if before else (Walk, "changed")), interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute(spec, {"folder": str(file.parent)}, root, "first", threads=1)
    monkeypatch.undo()
    attempt = f"{root}/working/first/{ATTEMPTS}/1.json"
    if not before:
        storage.write_text(attempt, json.dumps(read_json(attempt) | {"began": "1"}))
    return spec


def test_a_run_that_was_killed_as_it_began_is_one_like_others(killed_at_once, root, file):
    assert [(run.run_id, run.state) for run in runs(root)] == [("first", "INTERRUPTED")]
    (file.parent / "broken").unlink()
    assert resume(killed_at_once, root, "first").state == "SUCCEEDED"


def test_a_run_that_was_killed_as_it_began_can_be_removed(killed_at_once, root):
    prune(root, ["first"], force=True)
    assert not storage.exists(f"{root}/working/first")
