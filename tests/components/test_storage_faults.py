"""A storage server and a network that fail: all ends well or in one sentence, nothing is lost, nothing half is taken.

python -m pytest tests/components/test_storage_faults.py
python -m pytest -m long tests/components/test_storage_faults.py
"""

import random
import re

import pytest
from storage_server import FAULTS, KINDS, LASTING

from components import storage
from components.storage import StorageError, waiting
from components.storage import bucket as implementation

FILES = {"frames.npy": 9_000_000, "forces.npy": 50_000, "world.json": 200}  # the first is sent in the resumable way
POSITIONS = ("first", "middle", "last")
SENTENCES = {
    "403": r"gs://bucket-\d+ does not let these credentials in: gcloud storage buckets add-iam-policy-binding",
    "404": r"there is no bucket gs://bucket-\d+: gcloud storage buckets create",
    "down": r"gs://bucket-\d+ does not answer",
}


@pytest.fixture
def impatient(monkeypatch):
    """Retries after milliseconds, and gives up after seconds."""
    monkeypatch.setattr(implementation, "DEFAULT_RETRY", implementation.DEFAULT_RETRY.with_delay(0.01, 0.1, 2))
    monkeypatch.setattr(implementation, "DEADLINE", 5.0)
    monkeypatch.setattr(implementation, "TIMEOUT", (1.0, 1.0))


@pytest.fixture(scope="session")
def artifact(tmp_path_factory):
    """A shard of a dataset, about."""
    path, draw = tmp_path_factory.mktemp("artifact") / "shard", random.Random(0)
    with storage.writing(path) as folder:
        for name, size in FILES.items():
            (folder / name).write_bytes(draw.randbytes(size))
    return path


@pytest.fixture
def work(artifact, tmp_path):
    """What a run does with its storage: an artifact goes up and comes down, a record is written, read and listed."""

    def work(root: str) -> None:
        storage.publish(artifact, f"{root}/run/data/0/shard")
        there = storage.fetch(f"{root}/run/data/0/shard", tmp_path / "fetched")
        assert all((there / name).read_bytes() == (artifact / name).read_bytes() for name in FILES)
        storage.remove(f"{root}/run/run.json")
        storage.write_text(f"{root}/run/run.json", "{}", new=True)
        storage.write_text(f"{root}/run/run.json", '{"state": "SUCCEEDED"}')
        assert storage.read_text(f"{root}/run/run.json") == '{"state": "SUCCEEDED"}'
        assert storage.children(f"{root}/run") == ["data", "run.json"]
        assert storage.whole(f"{root}/run/data/0/shard")

    return work


def requests_of(server, work, root: str) -> dict[str, int]:
    """How many requests of each kind the work is made of when nothing fails."""
    server.inject()
    work(root)
    return server.counts


def survives(server, bucket, work, artifact, tmp_path, fault, kind, at) -> str:
    """Do the work with a fault in it; the sentence that it ended with, "" if it ended well."""
    storage.publish(artifact, f"{bucket}/earlier/shard")
    server.inject(fault, kind, at)
    sentence = ""
    try:
        work(bucket)
    except (StorageError, ValueError) as error:
        sentence = str(error)
    assert server.counts[kind] > at, "the fault was not met"
    server.inject()

    assert "\n" not in sentence
    assert not (tmp_path / "fetched").exists() or storage.verified(tmp_path / "fetched")
    storage.fetch(f"{bucket}/earlier/shard", tmp_path / "earlier")
    if storage.exists(f"{bucket}/run/data/0/shard/manifest.json"):
        assert storage.whole(f"{bucket}/run/data/0/shard")
    work(bucket)
    return sentence


@pytest.mark.parametrize("fault", ["flipped", "lost"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_passes_is_not_noticed(server, bucket, impatient, work, artifact, tmp_path, fault, kind):
    assert survives(server, bucket, work, artifact, tmp_path, fault, kind, 1) == ""


@pytest.mark.long
@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("kind", KINDS)
def test_what_lasts_is_said_in_one_sentence(
    server, bucket, impatient, monkeypatch, work, artifact, tmp_path, fault, kind
):
    monkeypatch.setattr(implementation, "DEADLINE", 0.5)
    sentence = survives(server, bucket, work, artifact, tmp_path, fault, kind, 1)
    assert re.search(SENTENCES[fault], sentence)


def test_one_is_told_that_a_storage_is_waited_for(server, bucket, impatient, monkeypatch, capfd):
    monkeypatch.setattr(implementation, "DEADLINE", 1.0)
    monkeypatch.setattr(waiting, "AFTER", 0.5)
    for when in ("began", "seen", "told"):  # else what another test waited for may have said it
        monkeypatch.setattr(waiting._TELLER, when, -float("inf"))
    server.inject("down", "download")
    with pytest.raises(StorageError):
        storage.read_text(f"{bucket}/run.json")
    server.inject()
    assert capfd.readouterr().err.count("the storage does not answer, and is asked again: ") == 1


@pytest.mark.long
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_at_every_place(server, bucket, impatient, work, artifact, tmp_path, fault, kind, position):
    number = requests_of(server, work, f"{bucket}/rehearsal")[kind]
    at = {"first": 0, "middle": number // 2, "last": number - 1}[position]
    (tmp_path / "fetched").rename(tmp_path / "rehearsal")
    sentence = survives(server, bucket, work, artifact, tmp_path, fault, kind, at)
    if fault in SENTENCES:
        assert re.search(SENTENCES[fault], sentence)
    else:
        assert sentence == ""
