"""What `components.storage.uris` promises, for local folders."""

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from components.storage.manifest import INCOMING, MANIFEST, ours, verified

LONG_AGO = 3600.0  # seconds; a text is written in milliseconds
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # of a disk that has no hard links, as exFAT


def exists(uri: str) -> bool:
    return Path(uri).exists()


def children(uri: str) -> list[str]:
    try:
        return sorted(child.name for child in Path(uri).iterdir() if not child.name.endswith(INCOMING))
    except (FileNotFoundError, NotADirectoryError):
        return []


def size(uri: str) -> int:
    path, size = Path(uri), 0
    below = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    for file in below if path.is_dir() else [path]:
        with suppress(FileNotFoundError):  # somebody has removed or renamed it since it was listed
            size += file.stat().st_size
    return size


def read_text(uri: str) -> str | None:
    try:
        return Path(uri).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_version(uri: str) -> tuple[str | None, str]:
    text = read_text(uri)
    return text, text or ""


def write_text(uri: str, text: str, new: bool) -> None:
    path = Path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    incoming = path.with_name(f".{path.name}.{uuid.uuid4().hex}{INCOMING}")  # a name of its own for each writer
    try:
        incoming.write_text(text, encoding="utf-8")
        if new:
            _rename_to_new(incoming, path)
        else:
            incoming.rename(path)
    finally:
        incoming.unlink(missing_ok=True)


def replace_text(uri: str, text: str, version: str) -> None:
    folder = Path(uri).parent
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        if read_version(uri)[1] != version:
            raise FileExistsError(f"{uri} is another's by now")
        write_text(uri, text, new=False)


def remove(uri: str) -> None:
    path = Path(uri)
    if path.is_dir():
        for manifest in path.rglob(MANIFEST):
            manifest.unlink()
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sweep(uri: str, spare: str) -> None:
    for path in list(Path(uri).rglob(f"*{INCOMING}")):
        if spare not in path.relative_to(uri).parts:
            remove(str(path))


def sweep_old(uri: str, clock: str) -> None:
    now = Path(clock).stat().st_mtime
    for path in Path(uri).glob(f"*{INCOMING}"):
        with suppress(FileNotFoundError):  # its writer has just finished
            if path.stat().st_mtime < now - LONG_AGO:
                path.unlink()


def publish(path: Path, uri: str) -> None:
    destination = Path(uri)
    if path != destination:
        destination.parent.mkdir(parents=True, exist_ok=True)
        path.rename(destination)


def fetch(uri: str, path: Path) -> Path:
    place = Path(uri)
    return place if ours(read_text(f"{uri}/{MANIFEST}")) is None else verified(place)


def whole(uri: str) -> bool:
    try:
        return bool(verified(uri))
    except ValueError:
        return False


def _rename_to_new(incoming: Path, path: Path) -> None:
    try:
        os.link(incoming, path)  # which, unlike a rename, fails where there is a file
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with _alone_in(path.parent):
            if path.exists():
                raise FileExistsError(f"{path} is another's by now") from None
            incoming.rename(path)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until nobody else is in such a block for this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # until it is closed, also by the end of the process
        yield
    finally:
        os.close(descriptor)
