"""Runs that were stopped and go on, in a folder and in a bucket, and that no two processes are at one.

python -m pytest tests/pipelines/engine/test_resume.py
"""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from kfp import dsl
from kfp.compiler import Compiler

from components import storage
from pipelines.engine import attempts, outcomes
from pipelines.engine.attempts import ATTEMPTS
from pipelines.engine.execute import TaskFailed, execute, resume
from pipelines.engine.housekeeping import prune, runs
from pipelines.engine.spec import load_spec
from pipelines.engine.walk import Walk

component = partial(dsl.component, base_image="python:3.11", install_kfp_package=False)
PROJECT = Path(__file__).parents[3]


def read_json(uri):
    return json.loads(storage.read_text(str(uri)) or "")


@component
def begin(folder: str, made: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    from components.storage import writing

    with (Path(folder) / "log").open("a") as file:
        file.write("begin ")
    with writing(made.path) as inside:
        (inside / "value.txt").write_text("8")


@component
def work(folder: str, made: dsl.Input[dsl.Dataset]) -> str:
    import time
    from pathlib import Path

    with (Path(folder) / "log").open("a") as file:
        file.write("work ")
    while (Path(folder) / "wait").exists():
        time.sleep(0.01)
    if (Path(folder) / "broken").exists():
        raise ValueError("it is broken")
    return (Path(made.path) / "value.txt").read_text()


@component
def end(folder: str, value: str):
    from pathlib import Path

    with (Path(folder) / "log").open("a") as file:
        file.write(f"end with {value} ")


@dsl.pipeline(name="working")
def working(folder: str):
    end(folder=folder, value=work(folder=folder, made=begin(folder=folder).outputs["made"]).output)


@pytest.fixture(params=["folder", "bucket"])
def root(request, tmp_path):
    return f"{request.getfixturevalue('bucket')}/runs" if request.param == "bucket" else str(tmp_path / "runs")


@pytest.fixture
def file(tmp_path):
    """The compiled pipeline, whose work fails."""
    (tmp_path / "broken").touch()
    Compiler().compile(working, str(tmp_path / "working.yaml"))
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


def edited(file, old, new):
    file.write_text(file.read_text().replace(old, new))
    return load_spec(file)


def test_what_has_ended_well_is_not_done_again(broken, root, log):
    record = resume(broken, root, "first")
    assert log.read_text() == "begin work work end with 8 "
    assert (record.state, [task.state for task in record.tasks]) == ("SUCCEEDED", ["SUCCEEDED"] * 3)
    assert [task.cached_from for task in record.tasks] == [None] * 3
    assert [task.error for task in record.tasks] == [None] * 3
    assert resume(broken, root, "first").state == "SUCCEEDED", "there is nothing left to do"
    assert log.read_text() == "begin work work end with 8 "


def test_a_run_keeps_its_parameters_its_begin_and_its_seconds(broken, root):
    before = read_json(f"{root}/working/first/run.json")
    record = resume(broken, root, "first")
    assert (record.parameters, record.started) == (before["parameters"], before["started"])
    assert record.seconds > before["seconds"]


def test_a_step_whose_code_has_changed_starts_over_and_says_so(broken, file, root, log):
    storage.write_text(f"{root}/working/first/checkpoints/begin/kept", "")
    storage.write_text(f"{root}/working/first/checkpoints/work/kept", "")
    said: list[str] = []
    resume(edited(file, '\\"8\\"', '\\"9\\"'), root, "first", tell=said.append)
    assert log.read_text() == "begin work begin work end with 9 "
    assert said == [
        "begin/0: starts over, since it began something has changed: its own source (code)",
        "work/0: starts over, since it began something has changed: made (artifact)",
    ]
    assert not storage.exists(f"{root}/working/first/checkpoints/begin")
    assert not storage.exists(f"{root}/working/first/checkpoints/work")


def test_a_step_that_was_not_finished_keeps_its_checkpoint(broken, root):
    storage.write_text(f"{root}/working/first/checkpoints/work/kept", "")
    resume(broken, root, "first")
    assert storage.exists(f"{root}/working/first/checkpoints/work/kept")


def test_what_another_run_has_taken_is_never_overwritten(broken, file, root, log):
    execute(broken, {"folder": str(file.parent)}, root, "second", threads=1, cache=True)
    assert log.read_text() == "begin work work end with 8 "
    changed = edited(file, '\\"8\\"', '\\"9\\"')
    with pytest.raises(TaskFailed, match="what it put out before is in use by second: begin a new run"):
        resume(changed, root, "first")
    assert storage.read_text(f"{root}/working/first/begin/0/made/value.txt") == "8"
    assert storage.whole(f"{root}/working/first/begin/0/made")
    record = execute(broken, {"folder": str(file.parent)}, root, "third", threads=1, cache=True)
    assert record.tasks[0].cached_from == "first", "others may still take it"


def test_what_another_run_has_just_taken_is_never_overwritten(broken, file, root, monkeypatch):
    changed, known, found = edited(file, '\\"8\\"', '\\"9\\"'), outcomes.known, []

    def last_look(pipeline, identity):  # after which what was found is taken, and before which it was claimed
        found.append(known(pipeline, identity))
        if len(found) == 2:
            with pytest.raises(TaskFailed, match="what it put out before is in use by second: begin a new run"):
                resume(changed, root, "first")
        return found[-1]

    monkeypatch.setattr(outcomes, "known", last_look)
    record = execute(broken, {"folder": str(file.parent)}, root, "second", threads=1, cache=True)
    assert record.tasks[0].cached_from == "first"
    assert storage.read_text(f"{root}/working/first/begin/0/made/value.txt") == "8"


@pytest.mark.parametrize("kind", ["gone", "altered", "step", "nested"])
def test_what_is_damaged_is_done_again(broken, root, log, kind):
    made = f"{root}/working/first/begin/0/made"
    if kind == "altered":
        storage.write_text(f"{made}/value.txt", "7")
    elif kind == "nested":
        storage.write_text(f"{root}/working/first/begin/0/step.json", "[" * 100_000)
        storage.write_text(f"{root}/working/first/{ATTEMPTS}/1.json", "[" * 100_000)
    else:
        storage.remove(made if kind == "gone" else f"{root}/working/first/begin/0/step.json")
    resume(broken, root, "first")
    assert log.read_text() == "begin work begin work end with 8 "


def test_what_was_taken_from_another_run_stays_taken(broken, file, root, log):
    (file.parent / "broken").touch()
    with pytest.raises(TaskFailed):
        execute(broken, {"folder": str(file.parent)}, root, "second", threads=1, cache=True)
    (file.parent / "broken").unlink()
    record = resume(broken, root, "second", cache=False)
    assert log.read_text() == "begin work work work end with 8 "
    assert [task.cached_from for task in record.tasks] == ["first", None, None]


# A run in a process of its own

SCRIPT = """
import sys
from pipelines.engine.execute import execute, resume
from pipelines.engine.spec import load_spec
file, folder, root, how = sys.argv[1:]
if how == "begin":
    execute(load_spec(file), {"folder": folder}, root, "first", threads=1)
else:
    resume(load_spec(file), root, "first")
"""


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


def start(file, root, how="begin", before=""):
    arguments = [sys.executable, "-c", before + SCRIPT, str(file), str(file.parent), root, how]
    return subprocess.Popen(arguments, cwd=PROJECT, stderr=subprocess.PIPE, text=True)


def until(condition, process=None):
    for _ in range(2000):
        if condition():
            return
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("it took too long")


@pytest.fixture
def at_work(file, root, log):
    """A process in the middle of the work."""
    (file.parent / "broken").unlink()
    (file.parent / "wait").touch()
    with start(file, root) as process:
        until(lambda: log.exists() and "work" in log.read_text(), process)
        yield process
        process.kill()


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


def test_a_run_that_is_being_run_is_nobody_elses(at_work, file, root, log):
    spec, before = load_spec(file), storage.read_text(f"{root}/working/first/run.json")
    with pytest.raises(ValueError, match=f"the run 'first' is being run by process {at_work.pid}: wait for it"):
        resume(spec, root, "first", force=True)
    with pytest.raises(ValueError, match="the run 'first' exists already"):
        execute(spec, {"folder": str(file.parent)}, root, "first", threads=1)
    assert storage.read_text(f"{root}/working/first/run.json") == before
    (file.parent / "wait").unlink()
    assert at_work.wait() == 0
    assert log.read_text() == "begin work end with 8 "


def test_of_many_that_resume_at_once_one_does(at_work, file, root, log):
    at_work.kill()
    at_work.wait()
    processes = [start(file, root, "resume") for _ in range(3)]
    until(lambda: sum(process.poll() is not None for process in processes) == 2)
    (file.parent / "wait").unlink()
    ended = [(process.communicate()[1], process.returncode) for process in processes]
    assert sorted(code for _, code in ended) == [0, 1, 1]
    for said, code in ended:
        assert code == 0 or "ValueError: the run 'first' is being r" in said
    assert log.read_text() == "begin work work end with 8 "


def test_of_two_that_have_seen_nobody_at_a_run_one_resumes_it(broken, root, monkeypatch):
    run, at_work = attempts.run_uri(root, "working", "first"), attempts.at_work

    def overtaken(*arguments):
        monkeypatch.setattr(attempts, "at_work", at_work)
        nobody = at_work(*arguments)
        attempts.take_over(run)
        return nobody

    monkeypatch.setattr(attempts, "at_work", overtaken)
    with pytest.raises(ValueError, match="the run 'first' is being resumed by another process at this moment"):
        resume(broken, root, "first")


def test_a_run_that_a_process_has_taken_is_its_own_before_its_record_says_so(broken, root):
    attempts.take_over(attempts.run_uri(root, "working", "first"))
    assert read_json(f"{root}/working/first/run.json")["state"] == "FAILED"
    with pytest.raises(ValueError, match=f"the run 'first' is being run by process {os.getpid()}: wait for it"):
        resume(broken, root, "first")


@pytest.mark.parametrize(
    ("gone", "error", "sentence"),
    [
        (False, attempts.Superseded, "the run 'first' was taken over or removed by another process, and this one ends"),
        (True, FileNotFoundError, "working/first is gone"),
    ],
)
def test_a_process_whose_run_was_taken_or_removed_writes_nothing_more(broken, root, log, gone, error, sentence):
    run, kept = f"{root}/working/first", []

    def on_change(record):  # as the work begins
        if any(task.state == "RUNNING" for task in record.tasks):
            kept.append(storage.read_text(f"{run}/run.json"))
            storage.write_text(f"{run}/{ATTEMPTS}/3.json", "{}")
            if gone:
                storage.remove(run)

    with pytest.raises(error, match=sentence):
        resume(broken, root, "first", on_change=on_change)
    assert "end" not in log.read_text()
    assert storage.read_text(f"{run}/run.json") == (None if gone else kept[0])
    assert len(storage.children(f"{root}/working/cache")) == 1, "only the begin's"


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


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_of_a_process_on_another_machine_only_a_person_can_say_that_it_is_gone(at_work, file, root):
    at_work.kill()
    at_work.wait()
    (file.parent / "wait").unlink()
    attempt = f"{root}/working/first/{ATTEMPTS}/1.json"
    storage.write_text(attempt, json.dumps(read_json(attempt) | {"machine": "elsewhere"}))
    with pytest.raises(ValueError, match="a process on another machine, elsewhere: if that has gone, add --force"):
        resume(load_spec(file), root, "first")
    assert resume(load_spec(file), root, "first", force=True).state == "SUCCEEDED"


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_process_that_has_another_ones_number_is_not_taken_for_it(at_work, file, root):
    at_work.kill()
    at_work.wait()
    (file.parent / "wait").unlink()
    attempt = f"{root}/working/first/{ATTEMPTS}/1.json"
    storage.write_text(attempt, json.dumps(read_json(attempt) | {"number": os.getpid()}))
    assert resume(load_spec(file), root, "first").state == "SUCCEEDED"


# What cannot be resumed


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: "", "run.json is not the record of a run, or is damaged"),
        (lambda text: text[: len(text) // 2], "is not the record of a run, or is damaged"),
        (lambda text: "[]", "is not the record of a run, or is damaged"),
        (lambda text: "{}", "is not the record of a run, or is damaged: 'schema'"),
        (lambda text: "[" * 100_000, "is not the record of a run, or is damaged: maximum recursion depth exceeded"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "it has schema 2, and this version reads 1"),
        (lambda text: text.replace('"threads": 1', '"threads": "many"'), "threads is 'many'"),
        (lambda text: text.replace('"threads": 1', '"threads": 1, "cores": 3'), "unexpected keyword argument 'cores'"),
        (lambda text: text.replace('"tasks": [', '"tasks": [3, '), "is not the record of a run"),
        (lambda text: text.replace('"started": "20', '"started": "x'), "Invalid isoformat string"),
        (lambda text: text.replace('"run_id": "first"', '"run_id": "other"'), "holds the record of another run"),
        (lambda text: text.replace('"folder": "', '"folders": "'), "has no parameter 'folders'; did you mean 'folder'"),
        (lambda text: text.replace('"uri"', '"url"'), "is damaged: 'uri'"),
    ],
)
def test_a_record_that_is_damaged_or_newer_is_refused_and_left_alone(broken, root, log, change, sentence):
    file = Path(root) / "working" / "first" / "run.json"
    file.write_text(change(file.read_text()))
    before = file.read_text()
    with pytest.raises(ValueError, match=sentence) as refusal:
        resume(broken, root, "first")
    assert "\n" not in str(refusal.value)
    assert file.read_text() == before
    assert log.read_text() == "begin work "


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_folder_that_is_no_run_is_not_named_as_one(broken, root):
    (Path(root) / "working" / "second").mkdir()
    with pytest.raises(ValueError, match=r"there is no run 'second' in .*; the newest are first$"):
        resume(broken, root, "second")


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("run_id", "sentence"),
    [
        ("second", "there is no run 'second' in .*; the newest are first"),
        ("../x", "a run id"),
        ("cache", "cannot be called"),
    ],
)
def test_a_run_that_is_none_is_refused(broken, root, run_id, sentence):
    with pytest.raises(ValueError, match=sentence):
        resume(broken, root, run_id)
