"""Checkpoints come back, of this run or of another, in a local root and in a bucket; what failed for good says so.

python -m pytest tests/components/test_storage_checkpoints.py
"""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from components import storage
from components.storage import MANIFEST, Checkpoints, StorageError
from models.training import CHECKPOINT as TRAINING
from models.training import METRICS

IDENTITY = {"config": {"steps": 10}, "inputs": ["abc"]}


@pytest.fixture(params=["local", "bucket"])
def pipeline(request, tmp_path) -> str:
    """The place of a pipeline's runs, of each kind."""
    root = str(tmp_path / "root") if request.param == "local" else request.getfixturevalue("bucket")
    return storage.join(root, "dreamblock")


def output(pipeline: str, run: str, execution: str = "0") -> str:
    return storage.join(pipeline, run, "train-policy", execution, "policy")


def save(checkpoints: Checkpoints, step: int) -> None:
    checkpoints.folder.mkdir(parents=True, exist_ok=True)
    (checkpoints.folder / TRAINING).write_text(f"state at {step}")
    with (checkpoints.folder / METRICS).open("a") as file:
        file.write(f"{step}\n")
    checkpoints.save()


def state(checkpoints: Checkpoints) -> tuple[str, str]:
    return (checkpoints.folder / TRAINING).read_text(), (checkpoints.folder / METRICS).read_text()


def test_they_lie_beside_the_tasks_of_their_run(pipeline):
    assert Checkpoints(output(pipeline, "k"), IDENTITY).uri == storage.join(
        pipeline, "k", "checkpoints", "train-policy"
    )


def test_a_new_training_has_nothing_to_go_on_from(pipeline):
    first = Checkpoints(output(pipeline, "k"), IDENTITY)
    assert not first.folder.exists()
    assert first.failure() is None


def test_another_try_goes_on_from_the_last_one_that_was_saved(pipeline):
    first = Checkpoints(output(pipeline, "k"), IDENTITY)
    for step in (1, 2, 3):
        save(first, step)
    again = Checkpoints(output(pipeline, "k", "another-uuid"), IDENTITY)
    assert state(again) == ("state at 3", "1\n2\n3\n")
    save(again, 4)
    third = Checkpoints(output(pipeline, "k"), IDENTITY)
    assert state(third) == ("state at 4", "1\n2\n3\n4\n")


def test_a_run_goes_on_from_another_runs_and_leaves_that_alone(pipeline):
    other = Checkpoints(output(pipeline, "k"), IDENTITY)
    save(other, 1)
    mine = Checkpoints(output(pipeline, "new"), IDENTITY, start_from="k")
    assert state(mine) == ("state at 1", "1\n")
    save(mine, 2)
    mine_again = Checkpoints(output(pipeline, "new"), IDENTITY, start_from="k")
    theirs = Checkpoints(output(pipeline, "k"), IDENTITY)
    assert state(mine_again) == ("state at 2", "1\n2\n")
    assert state(theirs) == ("state at 1", "1\n")


def test_a_run_that_does_not_exist_gives_nothing_to_go_on_from(pipeline):
    assert not Checkpoints(output(pipeline, "new"), IDENTITY, start_from="nobody").folder.exists()


def test_what_a_killed_process_copied_of_another_runs_is_not_taken_for_all_of_it(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed_at_the_second(source, destination):
        if len(copied) == 1:
            raise Killed
        copied.append(shutil.copy2(source, destination))

    copied: list[object] = []
    save(Checkpoints(output(str(tmp_path), "k"), IDENTITY), 1)
    with monkeypatch.context() as patched:
        patched.setattr("components.storage.checkpoints.shutil.copy", killed_at_the_second)
        with pytest.raises(Killed):
            Checkpoints(output(str(tmp_path), "new"), IDENTITY, start_from="k")
    assert state(Checkpoints(output(str(tmp_path), "new"), IDENTITY, start_from="k")) == ("state at 1", "1\n")


def test_metrics_without_a_checkpoint_are_nothing_to_go_on_from(tmp_path):
    """As of a training that was killed before its first checkpoint."""
    begun = Checkpoints(output(str(tmp_path), "k"), IDENTITY)
    begun.folder.mkdir(parents=True)
    (begun.folder / METRICS).write_text("1\n")
    assert not Checkpoints(output(str(tmp_path), "new"), IDENTITY, start_from="k").folder.exists()


@pytest.mark.parametrize("start_from", ["../other/k", "/etc", "..", "gs://bucket/dreamblock/k"])
def test_what_is_no_id_of_a_run_gives_nothing_to_go_on_from(tmp_path, start_from):
    with pytest.raises(ValueError, match=start_from):
        Checkpoints(output(str(tmp_path), "new"), IDENTITY, start_from)


def test_a_failure_for_good_is_remembered_for_the_same_training_only(pipeline):
    Checkpoints(output(pipeline, "k"), IDENTITY).fail(ValueError("the loss is not finite at step 7"))
    retried = Checkpoints(output(pipeline, "k", "another-uuid"), {"inputs": ["abc"], "config": {"steps": 10}})
    assert retried.failure() == "the loss is not finite at step 7"
    assert Checkpoints(output(pipeline, "k"), IDENTITY | {"inputs": ["abd"]}).failure() is None
    assert Checkpoints(output(pipeline, "k2"), IDENTITY).failure() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "{}", '{"identity": {}}', '{"error": 1, "identity": 2}'])
def test_a_damaged_marker_stops_nobody(pipeline, text):
    checkpoints = Checkpoints(output(pipeline, "k"), IDENTITY)
    storage.write_text(storage.join(checkpoints.uri, "failed.json"), text)
    assert checkpoints.failure() is None


def test_a_bucket_keeps_two(bucket):
    checkpoints = Checkpoints(output(bucket, "k"), IDENTITY)
    for step in range(5):
        save(checkpoints, step)
    assert storage.children(checkpoints.uri) == ["4", "5"]


@pytest.mark.parametrize("harm", [MANIFEST, TRAINING])
def test_of_a_damaged_checkpoint_in_a_bucket_the_one_before_is_taken(bucket, harm, capsys):
    checkpoints = Checkpoints(output(bucket, "k"), IDENTITY)
    save(checkpoints, 1)
    save(checkpoints, 2)
    storage.write_text(storage.join(checkpoints.uri, "2", harm), "damaged")
    again = Checkpoints(output(bucket, "k"), IDENTITY)
    assert state(again) == ("state at 1", "1\n")
    assert f"{checkpoints.uri}/2" in capsys.readouterr().err
    save(again, 2)
    assert storage.whole(f"{checkpoints.uri}/3")


def test_what_a_killed_save_left_in_a_bucket_is_passed_over(bucket):
    checkpoints = Checkpoints(output(bucket, "k"), IDENTITY)
    save(checkpoints, 1)
    storage.write_text(storage.join(checkpoints.uri, "2", TRAINING), "half")
    again = Checkpoints(output(bucket, "k"), IDENTITY)
    assert state(again)[0] == "state at 1"
    save(again, 2)
    third = Checkpoints(output(bucket, "k"), IDENTITY)
    assert state(third)[0] == "state at 2"
    assert storage.children(third.uri) == ["1", "3"], "it is none of the two that are kept"


def test_a_process_that_was_given_up_and_its_successor_do_not_mix(bucket):
    old = Checkpoints(output(bucket, "k"), IDENTITY)
    save(old, 1)
    new = Checkpoints(output(bucket, "k"), IDENTITY)

    def save_often(checkpoints: Checkpoints) -> None:
        for step in range(2, 6):
            with suppress(StorageError):  # of two at the same moment one is told so
                save(checkpoints, step)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(save_often, (old, new)))
    last = Checkpoints(output(bucket, "k"), IDENTITY)
    text, rows = state(last)
    assert text == f"state at {rows.split()[-1]}"


def test_a_checkpoint_that_cannot_be_saved_leaves_the_one_before(server, bucket, monkeypatch):
    from components.storage import bucket as implementation

    monkeypatch.setattr(implementation, "DEADLINE", 0.3)
    checkpoints = Checkpoints(output(bucket, "k"), IDENTITY)
    save(checkpoints, 1)
    server.inject("down", "upload")
    with pytest.raises(StorageError, match="does not answer"):
        save(checkpoints, 2)
    server.inject()
    again = Checkpoints(output(bucket, "k"), IDENTITY)
    assert state(again) == ("state at 1", "1\n")
