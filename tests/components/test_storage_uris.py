"""A local folder and a bucket do the same: text, artifacts, single files and trees, one of many writers, removal.

python -m pytest tests/components/test_storage_uris.py
"""

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from components import storage
from components.storage import MANIFEST, StorageError
from components.storage import bucket as implementation


@pytest.fixture(params=["local", "bucket"])
def root(request, tmp_path) -> str:
    """A place for runs, of each kind."""
    return str(tmp_path / "root") if request.param == "local" else request.getfixturevalue("bucket") + "/some/prefix"


@pytest.fixture
def write(tmp_path):
    """Writes an artifact as a step does, in the place of this process for a URI, and publishes it."""

    def write(uri: str, content: bytes) -> None:
        place = storage.local(uri, tmp_path / "scratch")
        with storage.writing(place) as folder:
            (folder / "weights.bin").write_bytes(content)
            (folder / "about.json").write_text("{}")
        storage.publish(place, uri)

    return write


def test_text_is_read_as_it_was_written(root):
    uri = storage.join(root, "run", "run.json")
    assert storage.read_text(uri) is None
    storage.write_text(uri, "länger\n")
    storage.write_text(uri, "kurz")
    assert storage.read_text(uri) == "kurz"
    assert storage.children(storage.join(root, "run")) == ["run.json"]


def test_one_of_many_writers_of_a_new_file_wins(root):
    uri = storage.join(root, "claimed")

    def claim(number: int) -> bool:
        try:
            storage.write_text(uri, "the same text of all", new=True)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(8))) == 1
    assert storage.read_text(uri) == "the same text of all"
    assert storage.children(root) == ["claimed"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
def test_on_a_disk_without_hard_links_too_one_of_many_writers_of_a_new_file_wins(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    test_one_of_many_writers_of_a_new_file_wins(str(tmp_path / "root"))


def test_one_of_many_writers_who_have_read_the_same_version_replaces_it(root):
    uri = storage.join(root, "champions", "champion.json")
    for before in (None, "the first"):
        text, version = storage.read_version(uri)
        assert text == before

        def replace(number: int, version=version) -> bool:
            try:
                storage.replace_text(uri, f"{number}", version)
            except FileExistsError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            (winner,) = (number for number, won in enumerate(pool.map(replace, range(8))) if won)
        assert storage.read_text(uri) == f"{winner}"
        storage.write_text(uri, "the first")
    assert storage.children(storage.join(root, "champions")) == ["champion.json"]


def test_a_version_that_was_removed_is_not_replaced(root):
    uri = storage.join(root, "champion.json")
    storage.write_text(uri, "gone soon")
    _, version = storage.read_version(uri)
    storage.remove(uri)
    with pytest.raises(FileExistsError):
        storage.replace_text(uri, "ours", version)
    assert storage.read_version(uri)[0] is None


def test_a_write_whose_acknowledgement_was_lost_is_known_to_be_ours(bucket, server):
    uri = f"{bucket}/champion.json"
    storage.write_text(uri, "before")
    _, version = storage.read_version(uri)
    server.inject("lost", "upload", 0)
    storage.replace_text(uri, "ours", version)
    assert server.counts["upload"] == 2, "the second try met the first one's write"
    assert storage.read_text(uri) == "ours"


def test_an_artifact_comes_back_as_it_went(root, write, tmp_path):
    uri = storage.join(root, "run", "train", "0", "model")
    write(uri, b"whole")
    assert storage.whole(uri)
    there = storage.fetch(uri, tmp_path / "elsewhere")
    assert (storage.verified(there) / "weights.bin").read_bytes() == b"whole"
    assert storage.fetch(uri, tmp_path / "elsewhere") == there
    assert storage.read_text(storage.join(uri, MANIFEST)) == (there / MANIFEST).read_text()


def test_a_file_and_a_folder_without_manifest_come_back_too(root, tmp_path):
    page, tree = storage.join(root, "page"), storage.join(root, "tree")
    for uri, name in ((page, ""), (tree, "deep/leaf")):
        place = storage.local(uri, tmp_path / "scratch")
        file = place / name if name else place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"text of {name}")
        storage.publish(place, uri)
    assert storage.fetch(page, tmp_path / "a").read_text() == "text of "
    assert (storage.fetch(tree, tmp_path / "b") / "deep" / "leaf").read_text() == "text of deep/leaf"


def test_names_sizes_and_existence_are_those_of_what_was_written(root, write):
    write(storage.join(root, "run", "train", "0", "model"), b"12345")
    storage.write_text(storage.join(root, "run", "run.json"), "123")
    storage.write_text(storage.join(root, "runs"), "a name that begins alike")
    assert storage.children(storage.join(root, "run")) == ["run.json", "train"]
    assert storage.children(storage.join(root, "nothing")) == []
    assert storage.size(storage.join(root, "run", "run.json")) == 3
    model = storage.join(root, "run", "train", "0", "model")
    assert storage.size(model) == 7 + storage.size(storage.join(model, MANIFEST))
    assert storage.exists(storage.join(root, "run"))
    assert storage.exists(storage.join(root, "runs"))
    assert not storage.exists(storage.join(root, "ru"))


@pytest.mark.parametrize(("look", "nothing"), [("size", 0), ("children", [])])
def test_a_folder_that_vanishes_while_it_is_looked_at_is_empty(tmp_path, monkeypatch, look, nothing):
    (tmp_path / "folder").mkdir()

    def late(real, path):
        monkeypatch.undo()
        (tmp_path / "folder").rmdir()
        return real(path)

    for looking in ("scandir", "listdir"):  # which of them pathlib uses depends on Python's version
        monkeypatch.setattr(os, looking, partial(late, getattr(os, looking)))
    assert getattr(storage, look)(str(tmp_path / "folder")) == nothing
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("seen", [0, 1])
def test_a_file_that_vanishes_while_sizes_are_added_up_stops_nobody(tmp_path, monkeypatch, seen):
    storage.write_text(str(tmp_path / "kept"), "123")
    storage.write_text(str(tmp_path / "gone"), "1234567")
    stat, looks = Path.stat, []

    def late(path, **options):
        if path.name == "gone":
            looks.append(path)
            if len(looks) > seen:
                path.unlink(missing_ok=True)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", late)
    assert storage.size(str(tmp_path)) == (10 if seen else 3)


def test_what_is_removed_is_gone_and_its_neighbours_stay(root, write):
    for run in ("k", "k2"):
        write(storage.join(root, run, "train", "0", "model"), b"x")
    storage.write_text(storage.join(root, "k", "run.json"), "{}")
    storage.remove(storage.join(root, "k"))
    assert storage.children(root) == ["k2"]
    assert storage.whole(storage.join(root, "k2", "train", "0", "model"))
    storage.remove(storage.join(root, "k2", "train", "0", "model", MANIFEST))
    assert not storage.whole(storage.join(root, "k2", "train", "0", "model"))


def test_what_is_swept_is_what_killed_writers_left_and_nothing_else(write, tmp_path):
    run = tmp_path / "run"
    write(str(run / "train" / "0" / "model"), b"x")
    storage.write_text(str(run / "run.json"), "{}")
    expected = {path for path in run.rglob("*") if path.is_file()}
    for left in (".run.json.1f.incoming", "train/0/.step.json.1f.incoming", "evaluate/0/films.incoming/model.gif"):
        storage.write_text(str(run / left), "half")
    rival = run / "rivals" / ".1.json.1f.incoming"
    storage.write_text(str(rival), "half")
    storage.sweep(str(run), spare="rivals")
    assert {path for path in run.rglob("*") if path.is_file()} == {*expected, rival}


@pytest.mark.parametrize("part", ["weights.bin", "about.json", MANIFEST])
def test_an_artifact_of_which_something_is_missing_or_another_is_not_whole(root, write, part, tmp_path):
    altered, missing = storage.join(root, "altered"), storage.join(root, "missing")
    for uri in (altered, missing):
        write(uri, b"whole")
    storage.write_text(storage.join(altered, part), "other")
    storage.remove(storage.join(missing, part))
    assert not storage.whole(altered)
    assert not storage.whole(missing)
    with pytest.raises(ValueError, match=part.partition(".")[0]):
        storage.fetch(altered, tmp_path / "altered")
    if part != MANIFEST:
        with pytest.raises(ValueError, match=part):
            storage.fetch(missing, tmp_path / "missing")
    assert not (tmp_path / "altered").exists()


@pytest.mark.parametrize("uri", ["s3://bucket/key", "minio://bucket/key", "http://host", "gs:///key", "gs://"])
def test_what_is_no_place_for_a_run_is_refused_by_name(uri):
    with pytest.raises(ValueError, match=uri):
        storage.exists(uri)


def test_an_artifact_in_a_bucket_is_never_overwritten(bucket, write, tmp_path):
    write(f"{bucket}/model", b"first")
    write(f"{bucket}/model", b"first")
    with pytest.raises(StorageError, match=f"{bucket}/model .*another"):
        write(f"{bucket}/model", b"second")
    assert (storage.fetch(f"{bucket}/model", tmp_path / "model") / "weights.bin").read_bytes() == b"first"


def test_what_a_killed_writer_left_in_a_bucket_is_nobodys(bucket, write, tmp_path):
    storage.write_text(f"{bucket}/model/weights.bin", "half")
    assert not storage.whole(f"{bucket}/model")
    write(f"{bucket}/model", b"whole")
    assert (storage.fetch(f"{bucket}/model", tmp_path / "model") / "weights.bin").read_bytes() == b"whole"


def test_two_writers_of_one_artifact_do_not_mix(bucket, tmp_path):
    def publish(number: int) -> bool:
        folder = tmp_path / str(number)
        with storage.writing(folder) as files:
            for name in "abcdef":
                (files / name).write_text(f"{name} of {number}")
        try:
            storage.publish(folder, f"{bucket}/model")
        except StorageError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = [number for number, whole in enumerate(pool.map(publish, range(4))) if whole]
    assert len(won) <= 1
    if won:
        files = storage.fetch(f"{bucket}/model", tmp_path / "back")
        assert {(files / name).read_text() for name in "abcdef"} == {f"{name} of {won[0]}" for name in "abcdef"}
    else:
        assert not storage.whole(f"{bucket}/model")


def test_a_writer_that_looked_before_another_was_done_leaves_that_ones_artifact_alone(bucket, tmp_path, monkeypatch):
    for name in ("first", "second"):
        with storage.writing(tmp_path / name) as files:
            (files / "a").write_text(f"a of {name}")
    looked: list[dict] = [{}]  # at the bucket, before the first began
    storage.publish(tmp_path / "first", f"{bucket}/model")
    look = implementation._all
    monkeypatch.setattr(implementation, "_all", lambda uri: looked.pop() if looked else look(uri))
    with pytest.raises(StorageError, match="another process has written something else there"):
        storage.publish(tmp_path / "second", f"{bucket}/model")
    assert (storage.fetch(f"{bucket}/model", tmp_path / "back") / "a").read_text() == "a of first"


def test_a_manifest_in_a_bucket_cannot_lead_out_of_its_artifact(bucket, tmp_path):
    described = {"size": 1, "crc32c": "AAAAAA=="}
    for name in ("../outside", "/etc/outside", "deep/inside"):
        manifest = json.dumps({"format": 1, "files": {name: described}})
        storage.write_text(f"{bucket}/model/{MANIFEST}", manifest)
        storage.write_text(f"{bucket}/outside", "x")
        with pytest.raises(ValueError, match=name):
            storage.fetch(f"{bucket}/model", tmp_path / "in" / "model")
    assert not list(tmp_path.glob("**/outside"))


@pytest.mark.parametrize("name", ["../outside", "deep/../../../outside"])
def test_an_object_in_a_bucket_cannot_lead_out_of_its_folder(bucket, tmp_path, name):
    storage.write_text(f"{bucket}/tree/{name}", "x")
    with pytest.raises(ValueError, match="leads out"):
        storage.fetch(f"{bucket}/tree", tmp_path / "in" / "tree")
    assert not list(tmp_path.glob("**/outside"))


def test_a_bucket_that_does_not_exist_is_never_taken_for_an_empty_one(bucket):
    for ask in (storage.exists, storage.children, storage.size, storage.read_text, storage.whole):
        with pytest.raises(StorageError, match="no bucket gs://nowhere: gcloud storage buckets create gs://nowhere"):
            ask("gs://nowhere/run")


def test_missing_credentials_are_said_with_the_command_that_mends_it(monkeypatch, tmp_path):
    from components.storage.bucket import client

    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    client.cache_clear()
    with pytest.raises(StorageError, match=r"credentials.*gcloud auth application-default login"):
        storage.children("gs://bucket/root")


def test_a_local_server_that_is_no_url_is_refused_at_once(monkeypatch):
    from components.storage.bucket import client

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "localhost:4443")
    client.cache_clear()
    with pytest.raises(StorageError, match="must be a URL such as http://localhost:4443, got 'localhost:4443'"):
        storage.children("gs://bucket/root")


def test_who_writes_a_text_leaves_nothing_beside_it(tmp_path):
    storage.write_text(str(tmp_path / "a"), "1", new=True)
    storage.write_text(str(tmp_path / "a"), "2")
    with pytest.raises(FileExistsError):
        storage.write_text(str(tmp_path / "a"), "3", new=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "2"


def test_a_file_that_is_replaced_while_its_download_breaks_off_is_read_as_it_is_then(bucket, server, monkeypatch):
    uri, meets, downloads = f"{bucket}/runs/run.json", server.meets, list[str]()
    storage.write_text(uri, "old" * 30000)

    def replacing(kind):
        downloads.extend([kind] * (kind == "download"))
        if kind == "download" and len(downloads) == 2:  # the rest of what was there is asked for
            storage.write_text(uri, "new" * 30000)
        return meets(kind)

    monkeypatch.setattr(server, "meets", replacing)
    server.inject("truncated", "download", 0)
    assert storage.read_text(uri) == "new" * 30000
