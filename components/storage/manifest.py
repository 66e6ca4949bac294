"""Artifacts on disk: folders of plain files that are whole or absent, with a manifest that every reader checks.

Hidden files are no part of an artifact: desktops leave theirs wherever somebody looks.
"""

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

import google_crc32c

FORMAT = 1  # rises when the manifest changes its meaning; a newer one is refused
MANIFEST = "manifest.json"
INCOMING = ".incoming"  # ends the name of what is not whole yet
BLOCK = 1 << 20  # bytes read at a time


class Description(TypedDict):
    """A file's size in bytes, and its CRC32C as Google Cloud Storage writes it: big-endian, in base64."""

    size: int
    crc32c: str


@contextmanager
def writing(artifact: str | Path) -> Iterator[Path]:
    """A folder for an artifact's files, which becomes the artifact, manifest and all, when the block ends well.

    Its files lie in it directly. Of a block that raises nothing is left. An artifact of an earlier try is replaced.
    """
    artifact = Path(artifact)
    incoming = artifact.with_name(artifact.name + INCOMING)
    shutil.rmtree(incoming, ignore_errors=True)  # of a process that was killed
    incoming.mkdir(parents=True)
    try:
        yield incoming
        files = {file.name: describe(file) for file in sorted(incoming.iterdir()) if is_part(file)}
        (incoming / MANIFEST).write_text(json.dumps({"format": FORMAT, "files": files}, indent=1), encoding="utf-8")
        if artifact.exists():
            (artifact / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(artifact)
        incoming.rename(artifact)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def verified(artifact: str | Path) -> Path:
    """The artifact's folder, once it holds what its manifest says, all of it and nothing else.

    Raises:
        ValueError: it does not, or the manifest cannot be trusted; the file in question is named.
    """
    artifact = Path(artifact)
    try:
        manifest = (artifact / MANIFEST).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"there is no whole artifact in {artifact}: {MANIFEST} is missing") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{artifact / MANIFEST} cannot be read: {error}") from error
    files = parse(manifest, artifact)
    for name, expected in files.items():
        if not (artifact / name).is_file():
            raise ValueError(f"the artifact {artifact} is not whole: {name} is missing")
        size = (artifact / name).stat().st_size
        if size != expected["size"]:
            raise ValueError(
                f"the artifact {artifact} is not whole: {name} has {size} bytes, its manifest says {expected['size']}"
            )
        if describe(artifact / name) != expected:
            raise ValueError(f"the artifact {artifact} was altered: the checksum of {name} is not the manifest's")
    for file in sorted(artifact.iterdir()):
        if is_part(file) and file.name not in files:
            raise ValueError(f"the artifact {artifact} was altered: {file.name} is not in its manifest")
    return artifact


def parse(manifest: str, artifact: str | Path) -> dict[str, Description]:
    """The files that an artifact's manifest lists.

    Raises:
        ValueError: it is no manifest, has a newer format, or names what is no plain file of the artifact's own.
    """
    where = f"the manifest of {artifact}"
    try:
        read: Any = json.loads(manifest)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} cannot be read: {error}") from error
    if not isinstance(read, dict) or type(read.get("format")) is not int:
        raise ValueError(f"{where} is none: it names no format")
    if read["format"] > FORMAT:
        raise ValueError(f"{where} has format {read['format']}, newer than the {FORMAT} that this version reads")
    if not isinstance(read.get("files"), dict):
        raise ValueError(f"{where} is none: it lists no files")
    for name, expected in read["files"].items():
        if name in ("", ".", "..", MANIFEST) or Path(name).name != name or "\0" in name:
            raise ValueError(f"{where} names {name!r}, which is no file of an artifact's own")
        if not isinstance(expected, dict) or {key: type(value) for key, value in expected.items()} != {
            "size": int,
            "crc32c": str,
        }:
            raise ValueError(f"{where} does not describe {name}: it must give its size and its crc32c")
    return read["files"]


def ours(text: str | None) -> str | None:
    """The text of a file of the manifest's name; None where there is no such file, or it is what a step of others calls
    so, JSON that has no format: then it lies in a plain folder."""
    if text is None:
        return None
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):  # a manifest that is damaged
        return text
    return text if isinstance(read, dict) and "format" in read else None


def describe(file: Path) -> Description:
    """Of a file as it is now; read in blocks, however large it is."""
    content, size = google_crc32c.Checksum(), 0
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            content.update(block)
            size += len(block)
    return {"size": size, "crc32c": base64.b64encode(content.digest()).decode()}


def is_part(file: Path) -> bool:
    """Whether what lies in an artifact's folder is one of its files: neither its manifest nor hidden."""
    return file.name != MANIFEST and not file.name.startswith(".")


def checksum(content: bytes) -> str:
    """The CRC32C of these bytes, as in a `Description`."""
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
