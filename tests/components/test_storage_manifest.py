"""Artifacts are whole or absent, and a reader refuses what is not what was written.

python -m pytest tests/components/test_storage_manifest.py
"""

import base64
import json

import google_crc32c
import pytest

from components.storage import MANIFEST, verified, writing


@pytest.fixture
def artifact(tmp_path):
    """An artifact of two files."""
    with writing(tmp_path / "run" / "task" / "0" / "weights") as folder:
        (folder / "a.bin").write_bytes(bytes(range(100)))
        (folder / "b.json").write_text("{}")
    return tmp_path / "run" / "task" / "0" / "weights"


def with_manifest(artifact, change):
    """The artifact after `change` was done to its parsed manifest."""
    manifest = json.loads((artifact / MANIFEST).read_text())
    change(manifest)
    (artifact / MANIFEST).write_text(json.dumps(manifest))
    return artifact


def refusal(artifact):
    """The sentence with which an artifact is refused."""
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as refused:
        verified(artifact)
    return str(refused.value)


def write_half(artifact, stop):
    with writing(artifact) as folder:
        (folder / "a.bin").write_bytes(b"half")
        raise stop


def test_what_was_written_can_be_read(artifact):
    assert (verified(artifact) / "a.bin").read_bytes() == bytes(range(100))
    assert sorted(file.name for file in artifact.iterdir()) == ["a.bin", "b.json", MANIFEST]


def test_the_manifest_has_sizes_and_checksums_as_google_cloud_storage_writes_them(artifact):
    manifest = json.loads((artifact / MANIFEST).read_text())
    checksum = google_crc32c.value(bytes(range(100))).to_bytes(4, "big")
    assert manifest["format"] == 1
    assert manifest["files"]["a.bin"] == {"size": 100, "crc32c": base64.b64encode(checksum).decode()}


def test_nothing_is_seen_before_the_artifact_is_whole(tmp_path):
    with writing(tmp_path / "weights") as folder:
        (folder / "a.bin").write_bytes(b"half")
        assert not (tmp_path / "weights").exists()
    assert verified(tmp_path / "weights")


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_what_stops_the_writing_leaves_nothing_behind(tmp_path, stop):
    with pytest.raises(stop):
        write_half(tmp_path / "weights", stop)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_not_taken_up(tmp_path):
    (tmp_path / "weights.incoming").mkdir()
    (tmp_path / "weights.incoming" / "old.bin").write_bytes(b"half")
    with writing(tmp_path / "weights") as folder:
        (folder / "a.bin").write_bytes(b"whole")
    assert sorted(file.name for file in verified(tmp_path / "weights").iterdir()) == ["a.bin", MANIFEST]


def test_an_artifact_of_an_earlier_try_is_replaced(artifact):
    with writing(artifact) as folder:
        (folder / "new.bin").write_bytes(b"new")
        assert (verified(artifact) / "a.bin").exists()
    assert sorted(file.name for file in verified(artifact).iterdir()) == [MANIFEST, "new.bin"]


def test_a_truncated_file_is_refused_by_name(artifact):
    (artifact / "a.bin").write_bytes(bytes(range(99)))
    assert "a.bin has 99 bytes" in refusal(artifact)


def test_an_altered_file_of_the_same_size_is_refused_by_name(artifact):
    (artifact / "a.bin").write_bytes(bytes(range(99)) + b"!")
    assert "checksum of a.bin" in refusal(artifact)


def test_a_missing_file_is_refused_by_name(artifact):
    (artifact / "b.json").unlink()
    assert "b.json is missing" in refusal(artifact)


def test_a_file_that_was_added_is_refused_by_name(artifact):
    (artifact / "c.txt").write_text("more")
    assert "c.txt is not in its manifest" in refusal(artifact)


@pytest.mark.parametrize("name", [".DS_Store", ".directory", "._a.bin"])
def test_what_a_desktop_leaves_in_a_folder_that_was_looked_at_spoils_no_artifact(artifact, name):
    (artifact / name).write_text("icons")
    assert verified(artifact)
    with writing(artifact) as folder:
        (folder / name).write_text("icons")
    (artifact / name).unlink()
    assert verified(artifact)


def test_a_hidden_file_that_the_manifest_names_is_checked_as_others(artifact):
    (artifact / ".a.bin").write_bytes(bytes(range(100)))
    with_manifest(artifact, lambda manifest: manifest["files"].update({".a.bin": manifest["files"]["a.bin"]}))
    assert verified(artifact)
    (artifact / ".a.bin").write_bytes(b"altered")
    assert ".a.bin has 7 bytes" in refusal(artifact)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "sub/file", "..", ".", "", "a.bin/", MANIFEST, "\0"])
def test_a_manifest_cannot_name_a_file_that_is_not_the_artifacts(artifact, name):
    (artifact.parent / "outside").write_bytes(b"x")
    described = json.loads((artifact / MANIFEST).read_text())["files"]["a.bin"]
    assert repr(name) in refusal(with_manifest(artifact, lambda manifest: manifest["files"].update({name: described})))


@pytest.mark.parametrize(
    "described",
    [
        None,
        100,
        [],
        {},
        {"size": 100},
        {"size": True, "crc32c": "AAAAAA=="},
        {"size": 100.0, "crc32c": "AAAAAA=="},
        {"size": 100, "crc32c": None},
        {"size": -1, "crc32c": "AAAAAA=="},
        {"size": 10**4000, "crc32c": "AAAAAA=="},
    ],
)
def test_a_manifest_that_describes_nothing_vouches_for_nothing(artifact, described):
    assert "a.bin" in refusal(with_manifest(artifact, lambda manifest: manifest["files"].update({"a.bin": described})))


def test_a_newer_format_is_refused_by_name(artifact):
    sentence = refusal(with_manifest(artifact, lambda manifest: manifest.update(format=2)))
    assert "has format 2, newer than the 1" in sentence
    assert str(artifact) in sentence


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": "1"}',
        '{"format": true, "files": {}}',
        '{"format": 1}',
        '{"format": 1, "files": []}',
        '{"format": NaN, "files": {}}',
        "[" * 100_000,
        "1" * 10_000,
        "\xff",
    ],
)
def test_a_damaged_manifest_is_refused(artifact, text):
    (artifact / MANIFEST).write_bytes(text.encode("latin-1"))
    assert "manifest" in refusal(artifact)


def test_a_folder_without_a_manifest_is_no_artifact(artifact):
    (artifact / MANIFEST).unlink()
    assert "manifest.json is missing" in refusal(artifact)
    assert "manifest.json is missing" in refusal(artifact.parent / "nothing")
