"""The list of runs, what is removed and what never: python -m pytest tests/pipelines/engine/test_housekeeping.py"""

import errno
import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest
from kfp import dsl
from working import read_json

from components import storage
from pipelines.engine import attempts, outcomes
from pipelines.engine.attempts import ATTEMPTS
from pipelines.engine.execute import TaskFailed, execute, resume
from pipelines.engine.housekeeping import prune, runs

component = partial(dsl.component, base_image="python:3.11", install_kfp_package=False)


@component
def make(value: int, made: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    Path(made.path).write_text(str(value) * 1000)


@component
def use(made: dsl.Input[dsl.Dataset], broken: bool, start_from: str):
    if broken:
        raise ValueError("it is broken")


@dsl.pipeline(name="making")
def making(value: int = 8, broken: bool = False, start_from: str = ""):
    use(made=make(value=value).outputs["made"], broken=broken, start_from=start_from)


@pytest.fixture
def spec(compiled):
    return compiled(making)


@pytest.fixture
def run(spec, root):
    def run(run_id, **parameters):
        try:
            execute(spec, parameters, root, run_id, threads=1, cache=True)
        except TaskFailed:
            assert parameters["broken"]

    return run


def states(root):
    return {run.run_id: run.state for run in runs(root)}


def sources(run):
    return [task.cached_from for task in run.record.tasks]


def test_a_list_has_every_run_its_state_and_its_size(run, root):
    assert runs(root) == []
    run("a")
    run("b", broken=True)
    assert states(root) == {"a": "SUCCEEDED", "b": "FAILED"}
    first, second = runs(root)
    assert 1000 < first.size < 20000
    assert second.size < first.size, "what is taken is not there twice"
    assert first.record
    assert first.record.seconds > 0


def test_a_run_without_its_process_is_interrupted_and_one_with_it_is_running(run, root):
    run("a")
    place = f"{root}/making/a"
    text = (storage.read_text(f"{place}/run.json") or "").replace('"state": "SUCCEEDED"', '"state": "RUNNING"', 1)
    storage.write_text(f"{place}/run.json", text)
    assert states(root) == {"a": "RUNNING"}, "this process, which is alive"
    with pytest.raises(ValueError, match=r"the run 'a' is being run by process .*: stop it first"):
        prune(root, ["a"], force=True)
    attempt = f"{place}/{ATTEMPTS}/1.json"
    storage.write_text(attempt, json.dumps(read_json(attempt) | {"began": "1"}))
    assert states(root) == {"a": "INTERRUPTED"}
    with pytest.raises(ValueError, match=r"the run 'a' \(interrupted\) can be resumed: to remove it, add --force"):
        prune(root, ["a"])
    prune(root, ["a"], force=True)
    assert runs(root) == []


def test_a_pruned_run_is_gone_and_nothing_is_taken_from_it(run, root):
    run("a")
    run("b", value=3)
    size = runs(root)[0].size
    assert prune(root, ["a"]) == size
    assert states(root) == {"b": "SUCCEEDED"}
    assert not storage.exists(f"{root}/making/a")
    assert {read_json(f"{root}/making/cache/{entry}")["run"] for entry in cached(root)} == {"b"}
    run("c")
    run("d", value=3)
    taken = {run.run_id: sources(run)[0] for run in runs(root)}
    assert taken == {"b": None, "c": None, "d": "b"}


def cached(root):
    return storage.children(f"{root}/making/{outcomes.CACHE}")


def test_what_another_runs_cache_refers_to_stays_unless_forced(run, root):
    run("a")
    run("b")
    before = cached(root)
    with pytest.raises(ValueError, match="the run 'a' is needed by 'b': to remove it, add --force"):
        prune(root, ["a"])
    assert states(root) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
    assert cached(root) == before, "and it can still be taken from"
    assert storage.read_text(f"{root}/making/a/make/0/made") == "8" * 1000
    prune(root, ["a", "b"])
    assert states(root) == {}
    run("c")
    run("d")
    prune(root, ["c"], force=True)
    assert states(root) == {"d": "SUCCEEDED"}


def test_of_several_all_are_removed_or_none(run, root):
    run("a")
    run("b", value=3, broken=True)
    for names in (["a", "b"], ["a", "nobody"]):
        with pytest.raises(ValueError):  # noqa: PT011  which one is tested elsewhere
            prune(root, names)
    assert states(root) == {"a": "SUCCEEDED", "b": "FAILED"}


def test_what_a_resumable_run_needs_stays(run, root):
    run("a")
    run("b", broken=True)
    with pytest.raises(ValueError, match="the run 'a' is needed by 'b'"):
        prune(root, ["a"])
    run("c", value=3)
    run("d", value=4, broken=True, start_from="c")
    with pytest.raises(ValueError, match="the run 'c' is needed by 'd'"):
        prune(root, ["c"])
    with pytest.raises(ValueError, match=r"the run 'd' \(failed\) can be resumed"):
        prune(root, ["d"])
    prune(root, ["d"], force=True)
    prune(root, ["c"])
    assert states(root) == {"a": "SUCCEEDED", "b": "FAILED"}


def test_a_run_whose_name_is_a_value_of_anothers_parameter_is_not_needed_by_it(run, root):
    run("3")
    run("b", value=3, broken=True)
    prune(root, ["3"])
    assert states(root) == {"b": "FAILED"}


def test_a_run_that_cannot_be_read_is_listed_and_may_need_anything(run, root):
    run("a")
    run("b", value=3)
    storage.write_text(f"{root}/making/b/run.json", "{")
    with pytest.raises(ValueError, match=f"the run 'b' is being run by process {os.getpid()}: stop it first"):
        prune(root, ["b"], force=True)
    attempts.leave(f"{root}/making/b", 1)  # as if that process had ended
    assert states(root) == {"a": "SUCCEEDED", "b": "UNREADABLE"}
    with pytest.raises(ValueError, match="the run 'a' is needed by 'b'"):
        prune(root, ["a"])
    with pytest.raises(ValueError, match=r"the run.json of the run 'b' cannot be read: to remove it all the same, add"):
        prune(root, ["b"])
    prune(root, ["b"], force=True)
    prune(root, ["a"])


def test_a_run_taken_from_while_it_is_pruned_is_kept_or_not_taken(run, root, monkeypatch):
    run("a")
    forget = outcomes.forget

    def late(pipeline, run_id):  # another run finds the outcome, and the prune goes on before it has claimed it
        forgotten = forget(pipeline, run_id)
        run("b")
        return forgotten

    monkeypatch.setattr(outcomes, "forget", late)
    prune(root, ["a"])
    (left,) = runs(root)
    assert (left.run_id, sources(left)) == ("b", [None, None])


def test_a_run_claimed_just_before_the_prune_looks_is_kept(run, root, monkeypatch):
    run("a")
    known, calls = outcomes.known, []

    def slow(pipeline, identity):  # the prune comes after the claim, and before the last look
        calls.append(identity)
        if len(calls) == 2:
            with pytest.raises(ValueError, match="the run 'a' is needed by 'b'"):
                prune(root, ["a"])
        return known(pipeline, identity)

    monkeypatch.setattr(outcomes, "known", slow)
    run("b")
    assert len(calls) > 2
    assert sources(runs(root)[1])[0] == "a"
    assert storage.read_text(f"{root}/making/a/make/0/made") == "8" * 1000


def test_a_prune_that_was_interrupted_can_be_asked_for_again(run, root, monkeypatch):
    run("a")
    remove = storage.remove
    removed: list[str] = []

    def stop(uri):
        if "/a/" in uri:
            removed.append(uri)
            if len(removed) == 2:
                raise KeyboardInterrupt
        remove(uri)

    monkeypatch.setattr(storage, "remove", stop)
    with pytest.raises(KeyboardInterrupt):
        prune(root, ["a"])
    monkeypatch.undo()
    assert states(root) == {"a": "SUCCEEDED"}
    run("b")
    assert sources(runs(root)[1])[0] is None, "half of a run is nothing to take from"
    prune(root, ["a"])
    assert states(root) == {"b": "SUCCEEDED"}


def test_a_run_that_is_being_removed_cannot_be_resumed(run, spec, root, monkeypatch):
    run("a", broken=True)
    remove = storage.remove
    refused = []

    def removing(uri):
        if uri.startswith(f"{root}/making/a"):
            with pytest.raises(ValueError, match=r"the run 'a' is being run by process|there is no run 'a'") as refusal:
                resume(spec, root, "a")
            refused.append(str(refusal.value)[:24])
        remove(uri)

    monkeypatch.setattr(storage, "remove", removing)
    prune(root, ["a"], force=True)
    assert refused[:2] == ["the run 'a' is being run"] * 2
    assert states(root) == {}
    assert not storage.exists(f"{root}/making/a")


def test_a_run_that_is_resumed_before_it_is_removed_stays(run, root, monkeypatch):
    run("a")
    at_work = attempts.at_work

    def overtaken(uri, record):
        monkeypatch.setattr(attempts, "at_work", at_work)
        nobody = at_work(uri, record)
        attempts.take_over(uri)
        return nobody

    monkeypatch.setattr(attempts, "at_work", overtaken)
    with pytest.raises(ValueError, match="the run 'a' is being resumed by another process at this moment"):
        prune(root, ["a"])
    with pytest.raises(ValueError, match=r"the run 'a' is being run by process .*: stop it first"):
        prune(root, ["a"], force=True)
    assert storage.exists(f"{root}/making/a/make/0/made")


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_run_can_be_removed_from_a_full_disk(run, root, monkeypatch):
    run("a")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage, "write_text", full)
    prune(root, ["a"])
    assert states(root) == {}


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_names_that_are_none_or_two_are_refused(run, root):
    run("a")
    with pytest.raises(ValueError, match=r"there is no run 'b' in .*; --list shows those that there are"):
        prune(root, ["b"])
    other = Path(root) / "other" / "a"
    other.mkdir(parents=True)
    (other / "run.json").write_text((Path(root) / "making" / "a" / "run.json").read_text())
    with pytest.raises(ValueError, match=r"there is more than one run 'a' in .*: say making/a or other/a"):
        prune(root, ["a"])
    prune(root, ["making/a"], force=True)
    assert [run.uri for run in runs(root)] == [str(other)]


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_what_is_no_run_is_neither_listed_nor_removed(run, root):
    run("a")
    (Path(root) / "making" / "notes").mkdir()
    (Path(root) / "file").touch()
    assert list(states(root)) == ["a"]
    with pytest.raises(ValueError, match="there is no run 'cache'"):
        prune(root, ["cache"], force=True)


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_folder_in_the_root_that_may_not_be_read_hides_no_run_and_keeps_none(run, root, monkeypatch):
    run("a")
    (Path(root) / "lost+found").mkdir()
    look = os.listdir

    def refuse(path):
        if Path(path).name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert states(root) == {"a": "SUCCEEDED"}
    prune(root, ["a"])
    assert states(root) == {}


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_forced_prune_leaves_a_run_that_can_be_resumed(run, spec, root):
    run("a")
    run("b", broken=True)
    prune(root, ["a"], force=True)
    with pytest.raises(TaskFailed, match="it is broken"):
        resume(spec, root, "b")
    assert sources(runs(root)[0]) == [None, None], "what was taken is made anew"


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_run_is_not_needed_by_one_whose_name_begins_alike_nor_by_one_that_began_from_it_and_has_ended_well(run, root):
    run("a")
    run("ab", value=3)
    run("c", value=4, start_from="a")
    (size,) = (one.size for one in runs(root) if one.run_id == "a")
    assert prune(root, ["a", "making/a"]) == size, "named twice"
    assert set(states(root)) == {"ab", "c"}


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_a_run_is_not_needed_by_one_of_another_pipeline_that_takes_from_a_run_of_that_name(run, root):
    run("a")
    run("b")
    shutil.copytree(f"{root}/making/b", f"{root}/others/b")
    place = Path(root, "others", "b", "run.json")
    place.write_text(place.read_text().replace(f"{root}/making/a/", f"{root}/others/a/"))
    prune(root, ["making/b"])
    prune(root, ["making/a"])
    assert {one.uri for one in runs(root)} == {f"{root}/others/b"}


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_the_list_is_in_the_order_in_which_runs_began(run, root):
    for name, hour in (("z", "01"), ("b", "02")):
        run(name)
        place = Path(root, "making", name, "run.json")
        place.write_text(json.dumps(read_json(place) | {"started": f"2026-01-01T{hour}:00:00+00:00"}))
    assert [one.run_id for one in runs(root)] == ["z", "b"]
