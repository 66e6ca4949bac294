"""Artifacts on disk: folders of plain files that are whole or absent, with a manifest that every reader checks."""

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google_crc32c

FORMAT = 1  # rises when the manifest changes its meaning; a newer one is refused
MANIFEST = "manifest.json"
BLOCK = 1 << 20  # bytes read at a time


@contextmanager
def writing(artifact: str | Path) -> Iterator[Path]:
    """A folder for an artifact's files, which becomes the artifact, manifest and all, when the block ends well.

    Its files lie in it directly. Of a block that raises nothing is left.
    """
    artifact = Path(artifact)
    incoming = _incoming(artifact)
    shutil.rmtree(incoming, ignore_errors=True)  # of a process that was killed
    incoming.mkdir(parents=True)
    try:
        yield incoming
        files = {file.name: _describe(file) for file in sorted(incoming.iterdir())}
        (incoming / MANIFEST).write_text(json.dumps({"format": FORMAT, "files": files}, indent=1))
        incoming.rename(artifact)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def write_text(file: str | Path, text: str) -> None:
    """Write one of KFP's own artifacts that are a single file, and have no manifest."""
    incoming = _incoming(Path(file))
    incoming.write_text(text, encoding="utf-8")
    incoming.rename(file)


def verified(artifact: str | Path) -> Path:
    """The artifact's folder, once it holds what its manifest says, all of it and nothing else.

    Raises:
        ValueError: it does not, or the manifest cannot be trusted; the file in question is named.
    """
    artifact = Path(artifact)
    files = _read_manifest(artifact)
    for name, expected in files.items():
        if name in ("", ".", "..", MANIFEST) or Path(name).name != name:
            raise ValueError(f"the manifest of {artifact} names {name!r}, which is no file of an artifact's own")
        if not (artifact / name).is_file():
            raise ValueError(f"the artifact {artifact} is not whole: {name} is missing")
        size = (artifact / name).stat().st_size
        if not isinstance(expected, dict) or size != expected.get("size"):
            raise ValueError(
                f"the artifact {artifact} is not whole: {name} has {size} bytes, its manifest says otherwise"
            )
        if _describe(artifact / name) != expected:
            raise ValueError(f"the artifact {artifact} was altered: the checksum of {name} is not the manifest's")
    for file in sorted(artifact.iterdir()):
        if file.name != MANIFEST and file.name not in files:
            raise ValueError(f"the artifact {artifact} was altered: {file.name} is not in its manifest")
    return artifact


def checkpoint_folder(output: str | Path) -> Path:
    """Where a task keeps its checkpoints: `<root>/<pipeline>/<run id>/checkpoints/<task>`.

    `output` is the path of one of its outputs, `<root>/<pipeline>/<run id>/<task>/<execution>/<output>`.
    """
    task = Path(output).parents[1]
    return task.parent / "checkpoints" / task.name


def _incoming(path: Path) -> Path:
    return path.with_name(path.name + ".incoming")


def _describe(file: Path) -> dict[str, Any]:
    """Size in bytes, and CRC32C as Google Cloud Storage writes it: big-endian, in base64."""
    checksum, size = google_crc32c.Checksum(), 0
    with file.open("rb") as content:
        while block := content.read(BLOCK):
            checksum.update(block)
            size += len(block)
    return {"size": size, "crc32c": base64.b64encode(checksum.digest()).decode()}


def _read_manifest(artifact: Path) -> dict[str, Any]:
    path = artifact / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"there is no whole artifact in {artifact}: {MANIFEST} is missing") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise ValueError(f"{path} is not the manifest of an artifact: it names no format")
    if manifest["format"] > FORMAT:
        raise ValueError(f"{path} has format {manifest['format']}, newer than the {FORMAT} that this version reads")
    if not isinstance(manifest.get("files"), dict):
        raise ValueError(f"{path} is not the manifest of an artifact: it lists no files")
    return manifest["files"]
