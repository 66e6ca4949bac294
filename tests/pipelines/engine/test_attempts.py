"""That no two processes are at one run, in a folder and in a bucket.

python -m pytest tests/pipelines/engine/test_attempts.py
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from kfp import dsl
from working import component, read_json, start, until

from components import storage
from pipelines.engine import attempts
from pipelines.engine.attempts import ATTEMPTS
from pipelines.engine.execute import execute, resume
from pipelines.engine.spec import load_spec


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


def kill_and_say_it_was(at_work, file, root, **other):
    """End the process in the middle of the work, and change what it left of itself."""
    at_work.kill()
    at_work.wait()
    (file.parent / "wait").unlink()
    attempt = f"{root}/working/first/{ATTEMPTS}/1.json"
    storage.write_text(attempt, json.dumps(read_json(attempt) | other))


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_of_a_process_on_another_machine_only_a_person_can_say_that_it_is_gone(at_work, file, root):
    kill_and_say_it_was(at_work, file, root, machine="elsewhere")
    with pytest.raises(ValueError, match="a process on another machine, elsewhere: if that has gone, add --force"):
        resume(load_spec(file), root, "first")
    assert resume(load_spec(file), root, "first", force=True).state == "SUCCEEDED"


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_process_that_has_another_ones_number_is_not_taken_for_it(at_work, file, root):
    kill_and_say_it_was(at_work, file, root, number=os.getpid())
    assert resume(load_spec(file), root, "first").state == "SUCCEEDED"


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.skipif(not shutil.which("ps"), reason="ps, which every system without /proc has, is not installed")
def test_without_proc_too_a_process_that_has_another_ones_number_is_not_taken_for_it(broken, root, monkeypatch):
    run = attempts.run_uri(root, "working", "first")
    monkeypatch.setattr(attempts, "PROC", Path(root) / "no-proc")
    attempts.take_over(run)
    with pytest.raises(ValueError, match=f"the run 'first' is being run by process {os.getpid()}: wait for it"):
        attempts.take_over(run)
    with subprocess.Popen(["sleep", "60"]) as other:
        began = attempts._began(other.pid)
        other.kill()
    storage.write_text(f"{run}/{ATTEMPTS}/2.json", json.dumps(read_json(f"{run}/{ATTEMPTS}/2.json") | {"began": began}))
    assert attempts.take_over(run).attempt == 3


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_process_of_another_user_is_alive_and_its_run_is_not_taken_over(broken, root, monkeypatch):
    run = attempts.run_uri(root, "working", "first")
    attempts.take_over(run)

    def refuse(number, signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    with pytest.raises(ValueError, match=f"the run 'first' is being run by process {os.getpid()}: wait for it"):
        attempts.take_over(run)


@component
def lose(run: str, made: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    from components import storage

    storage.write_text(f"{run}/.attempts/2.json", "{}")  # another process comes, while this one is at its work
    Path(made.path).write_text("too late")


@dsl.pipeline(name="losing")
def losing(run: str):
    lose(run=run)


def test_a_process_whose_run_was_taken_meanwhile_brings_nothing_to_a_bucket(compiled, bucket):
    with pytest.raises(attempts.Superseded):
        execute(compiled(losing), {"run": f"{bucket}/losing/first"}, bucket, "first", threads=1)
    assert not storage.exists(f"{bucket}/losing/first/lose/0/made")


def test_a_run_is_not_called_as_what_is_never_listed(file, root):
    with pytest.raises(ValueError, match=r"a run id cannot end in .incoming"):
        execute(load_spec(file), {"folder": str(file.parent)}, root, "first.incoming", threads=1)
