"""Runs that were stopped and go on, in a folder and in a bucket, and what is no run to go on with.

python -m pytest tests/pipelines/engine/test_resume.py
"""

import json
from pathlib import Path

import pytest
from working import read_json

from components import storage
from pipelines.engine import outcomes
from pipelines.engine.attempts import ATTEMPTS
from pipelines.engine.execute import TaskFailed, execute, resume
from pipelines.engine.reuse import words
from pipelines.engine.spec import load_spec


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


# What cannot be resumed


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: "", "run.json is not the record of a run, or is damaged"),
        (lambda text: text[: len(text) // 2], "is not the record of a run, or is damaged"),
        (lambda text: "[]", "is not the record of a run, or is damaged"),
        (lambda text: "{}", "is not the record of a run, or is damaged: 'schema'"),
        (
            lambda text: "[" * 100_000,
            "is not the record of a run, or is damaged: (maximum recursion depth|Stack overflow)",
        ),
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
    with pytest.raises(ValueError, match=r"there is no run 'second' in .*, the nearest is 'first'$"):
        resume(broken, root, "second")


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("run_id", "sentence"),
    [
        ("second", "there is no run 'second' in .*, the nearest is 'first'"),
        ("../x", "a run id"),
        ("cache", "cannot be called"),
    ],
)
def test_a_run_that_is_none_is_refused(broken, root, run_id, sentence):
    with pytest.raises(ValueError, match=sentence):
        resume(broken, root, run_id)


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_step_that_the_pipeline_no_longer_has_is_not_in_the_record_of_a_run_that_goes_on(broken, root):
    place = Path(root, "working", "first", "run.json")
    record = read_json(place)
    record["tasks"].append({**record["tasks"][0], "name": "gone"})
    place.write_text(json.dumps(record))
    assert [task.name for task in resume(broken, root, "first").tasks] == ["begin", "work", "end"]


def test_of_many_changes_the_first_are_named_and_the_others_counted():
    assert words(["a", "b", "c"]) == "a, b, c"
    assert words(["a", "b", "c", "d"]) == "a, b, c and 1 more"
