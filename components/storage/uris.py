"""Files, folders and artifacts by URI: a local path, or `gs://bucket/...`. Errors as `components.storage` says."""

from pathlib import Path
from types import ModuleType

from components.storage import folder
from components.storage.manifest import MANIFEST, ours

BUCKET = "gs://"


def join(uri: str, *parts: str) -> str:
    """The URI of what is called `parts` below `uri`."""
    return "/".join([uri.rstrip("/"), *parts]) if "://" in uri else str(Path(uri, *parts))


def exists(uri: str) -> bool:
    """Whether there is a file, or a folder with something in it."""
    return _keeper(uri).exists(uri)


def children(uri: str) -> list[str]:
    """The names of what lies directly below, sorted; none where there is nothing."""
    return _keeper(uri).children(uri)


def size(uri: str) -> int:
    """Bytes of a file or of all files below."""
    return _keeper(uri).size(uri)


def read_text(uri: str) -> str | None:
    """A file's text, None where there is none."""
    return _keeper(uri).read_text(uri)


def read_manifest(uri: str) -> str | None:
    """The text of an artifact's manifest; None where there is none, or one of others, and it is a plain folder."""
    return ours(read_text(join(uri, MANIFEST)))


def write_text(uri: str, text: str, *, new: bool = False) -> None:
    """Write a file, which a reader sees as it was or whole. One of many writers of a `new` one wins.

    Raises:
        FileExistsError: there is one already, and it was to be new.
    """
    _keeper(uri).write_text(uri, text, new)


def read_version(uri: str) -> tuple[str | None, str]:
    """A file's text, None where there is none, and what tells this version of it from others, for `replace_text`."""
    return _keeper(uri).read_version(uri)


def replace_text(uri: str, text: str, version: str) -> None:
    """Write a file that nobody has written since `read_version`. One of many writers wins.

    Raises:
        FileExistsError: somebody has.
    """
    _keeper(uri).replace_text(uri, text, version)


def remove(uri: str) -> None:
    """Remove a file, or all below. Of an artifact the manifest goes first: a half-removed one is absent."""
    _keeper(uri).remove(uri)


def sweep(uri: str, spare: str) -> None:
    """Remove what writers that were killed have left unfinished below a folder where nobody writes at this moment.

    Args:
        spare: the name of a folder in it where somebody may: what is below that stays.
    """
    _keeper(uri).sweep(uri, spare)


def sweep_old(uri: str, clock: str) -> None:
    """Remove the texts that writers left half-written directly in a folder, and more than an hour ago.

    Args:
        clock: a file on the same disk that was just written, for the disk has a clock of its own.
    """
    _keeper(uri).sweep_old(uri, clock)


def local(uri: str, scratch: Path) -> Path:
    """Where a step in this process finds or leaves what lies at `uri`: there, or `gcs/bucket/...` below `scratch`."""
    return scratch / "gcs" / uri.removeprefix(BUCKET) if _keeper(uri) is not folder else Path(uri)


def publish(path: Path, uri: str) -> None:
    """Make what a step left at `path` visible at `uri`.

    An artifact (a folder with a manifest) appears whole or not at all, and is never overwritten by another one: to
    publish the same one again changes nothing. Single files appear whole too; other folders file by file, as
    Kubeflow's launcher copies them. What lies there already, because `local` led there, stays where it is.
    """
    _keeper(uri).publish(path, uri)


def fetch(uri: str, path: Path) -> Path:
    """Bring what lies at `uri` to `path`, and return where it is now: `path`, or where it was if that is local.

    An artifact is checked against its manifest, and appears at `path` whole or not at all.
    """
    return _keeper(uri).fetch(uri, path)


def whole(uri: str) -> bool:
    """Whether an artifact lies there, complete and unaltered as its manifest describes it."""
    return _keeper(uri).whole(uri)


def _keeper(uri: str) -> ModuleType:
    """The module that knows this kind of URI."""
    if uri.startswith(BUCKET):
        from components.storage import bucket  # 0.3 s, which a run in a local folder need not wait for

        return bucket
    if "://" in uri:
        raise ValueError(f"{uri!r} is no place for a run: it must be a local path or gs://bucket/prefix")
    return folder
