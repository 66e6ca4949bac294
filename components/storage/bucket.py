"""What `components.storage.uris` promises, for buckets of Google Cloud Storage.

An artifact's files are written where there are none, and its manifest last, once the bucket's own listing agrees with
it: two writers never mix, and what a manifest vouches for is there.
"""

import functools
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import requests
import urllib3
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage import transfer_manager
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from components.storage import folder
from components.storage.errors import StorageError
from components.storage.manifest import (
    INCOMING,
    MANIFEST,
    Description,
    checksum,
    describe,
    ours,
    parse,
    verified,
)
from components.storage.waiting import tell_of_retries

DEADLINE = 120.0  # seconds that a request is tried again for
TIMEOUT = (10.0, 60.0)  # seconds for a connection, and for any bytes of an answer
TRIES = 4  # of what arrives damaged
WORKERS = 8  # files of a folder at a time

T = TypeVar("T")

_DAMAGED = (DataCorruption, exceptions.BadRequest)  # found by the client, and by the server
_BROKEN = (DataCorruption, requests.RequestException, urllib3.exceptions.HTTPError)
_UNFINISHED = (*_DAMAGED, exceptions.PreconditionFailed, exceptions.NotFound)  # or of an upload that is done
_UNANSWERED = (
    exceptions.RetryError,
    exceptions.ServerError,
    exceptions.TooManyRequests,
    ConnectionError,
    *_BROKEN,
)


def exists(uri: str) -> bool:
    with _errors(uri):
        blob = _blob(uri)
        return blob.exists(**_patience()) or bool(_names_below(blob))


def children(uri: str) -> list[str]:
    with _errors(uri):
        return sorted({name.rstrip("/").rpartition("/")[2] for name in _names_below(_blob(uri))} - {""})


def size(uri: str) -> int:
    with _errors(uri):
        return sum(blob.size for blob in _all(uri).values())


def read_text(uri: str) -> str | None:
    return read_version(uri)[0]


def read_version(uri: str) -> tuple[str | None, str]:
    blob = _blob(uri)
    with _errors(uri):
        content = _read(blob)
    try:
        return (None, "0") if content is None else (content.decode(), str(blob.generation))
    except UnicodeDecodeError as error:
        raise ValueError(f"{uri} is not text: {error}") from error


def write_text(uri: str, text: str, new: bool) -> None:
    _write(uri, text, 0 if new else None)


def replace_text(uri: str, text: str, version: str) -> None:
    _write(uri, text, int(version))


def remove(uri: str) -> None:
    with _errors(uri), ThreadPoolExecutor(WORKERS) as pool:
        there = _all(uri).values()
        for manifests in (True, False):
            list(pool.map(_delete, [blob for blob in there if blob.name.endswith(f"/{MANIFEST}") is manifests]))


def sweep(uri: str, spare: str) -> None:
    """There is nothing to do: of an object that is not whole, a bucket shows nothing."""


def sweep_old(uri: str, clock: str) -> None:
    """As little as for `sweep`."""


def publish(path: Path, uri: str) -> None:
    manifest, root = ours(folder.read_text(str(path / MANIFEST))), _blob(uri).name
    with _errors(uri):
        if manifest is None:
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            _upload({"/".join([root, *file.relative_to(path).parts]): file for file in files}, uri)
            return
        key, names = f"{root}/{MANIFEST}", list(parse(manifest, verified(path)))
        there = _all(uri)
        if key not in there:
            _upload({f"{root}/{name}": path / name for name in names}, uri)
            with suppress(FileExistsError):
                write_text(f"{uri}/{MANIFEST}", manifest, new=True)
            there = _all(uri)
        wrong = _lacking({f"{root}/{name}": describe(path / name) for name in [*names, MANIFEST]}, there)
        if wrong and key not in wrong:  # another process took our files for those of a killed one
            remove(f"{uri}/{MANIFEST}")
        if wrong:
            raise _rival(uri)


def fetch(uri: str, path: Path) -> Path:
    incoming = path.with_name(path.name + INCOMING)
    folder.remove(str(incoming))  # of a process that was killed
    with _errors(uri):
        manifest = ours(read_text(f"{uri}/{MANIFEST}"))
        if manifest is not None and folder.read_text(str(path / MANIFEST)) == manifest:
            return verified(path)
        try:
            if manifest is None:
                found = {key: blob for key, blob in _all(uri).items() if not key.endswith("/")}
                if not found:
                    raise ValueError(f"there is nothing at {uri}")
                _download(uri, {key: _described(blob) for key, blob in found.items()}, incoming)
            else:
                prefix = _blob(uri).name
                _download(uri, {f"{prefix}/{name}": file for name, file in parse(manifest, uri).items()}, incoming)
                (incoming / MANIFEST).write_text(manifest, encoding="utf-8")
            folder.remove(str(path))  # an earlier artifact's
            incoming.rename(path)
        finally:
            folder.remove(str(incoming))
    return path


def whole(uri: str) -> bool:
    with _errors(uri):
        manifest = read_text(f"{uri}/{MANIFEST}")
        if manifest is None:
            return False
        try:
            files = parse(manifest, uri)
        except ValueError:
            return False
        there = _all(uri)
    return not _lacking({f"{_blob(uri).name}/{name}": expected for name, expected in files.items()}, there)


def _write(uri: str, text: str, generation: int | None) -> None:
    """Write an object if there is this generation of it, which is 0 for none, or whatever there is.

    Raises:
        FileExistsError: there is another.
    """
    blob, content, writer = _blob(uri), text.encode(), uuid.uuid4().hex
    blob.metadata = {"writer": writer}
    refused: object = None
    with _errors(uri):
        for _ in range(TRIES):
            try:
                blob.upload_from_string(content, if_generation_match=generation, checksum="crc32c", **_patience())
            except _DAMAGED as error:
                refused = error
                continue
            except exceptions.PreconditionFailed:
                there = blob.bucket.get_blob(blob.name, **_patience())
                if there is None or (there.metadata or {}).get("writer") != writer:
                    raise FileExistsError(f"{uri} is another's by now") from None
                blob = there  # ours, whose acknowledgement was lost
            if blob.crc32c == checksum(content):
                return
            generation = blob.generation
        raise _unwritten(uri, refused)


def _upload(files: dict[str, Path], uri: str) -> None:
    """Bring files to `uri`, by the names that they get in the bucket, until it lists them as they are here.

    What lay there before the first try is of a process that was killed, and replaced; unless there is a manifest by
    now, for then it is another's, who is done.
    """
    expected = {name: describe(file) for name, file in files.items()}
    root, writer = _blob(uri), uuid.uuid4().hex
    bucket, refused = root.bucket, None
    for attempt in range(TRIES):
        there = _all(uri)
        pending = _lacking(expected, there)
        if not pending:
            return
        if f"{root.name}/{MANIFEST}" in there:
            raise _rival(uri)
        for name in there.keys() & pending:
            if attempt and (there[name].metadata or {}).get("writer") != writer:
                raise _rival(uri)
            _delete(there[name])
        pairs = [(str(files[name]), bucket.blob(name)) for name in pending]
        for _, blob in pairs:
            blob.metadata = {"writer": writer}
        options = {"if_generation_match": 0, "checksum": "crc32c", **_patience()}
        for result in transfer_manager.upload_many(
            pairs, upload_kwargs=options, worker_type=transfer_manager.THREAD, max_workers=WORKERS
        ):
            if result is not None and not isinstance(result, _UNFINISHED):
                raise result
            refused = result or refused
    raise _unwritten(uri, refused)


def _download(uri: str, files: dict[str, Description], path: Path) -> None:
    """Bring the objects with these names below `uri` to `path`, or the one with its name to `path` itself.

    Raises:
        ValueError: one is missing, or is not as described; it is named.
    """
    root = _blob(uri)
    pending = {key: path / key.removeprefix(root.name).lstrip("/") for key in files}
    for key, file in pending.items():
        if ".." in file.relative_to(path).parts:
            raise ValueError(f"gs://{root.bucket.name}/{key} has a name that leads out of its folder")
        file.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(TRIES):
        pairs = [(root.bucket.blob(key), str(file)) for key, file in pending.items()]
        results = transfer_manager.download_many(
            pairs,
            download_kwargs={"checksum": "crc32c", **_patience()},
            worker_type=transfer_manager.THREAD,
            max_workers=WORKERS,
        )
        for (blob, _), result in zip(pairs, results, strict=True):
            if isinstance(result, exceptions.NotFound):
                _require_bucket(blob)
                raise ValueError(f"the artifact {uri} is not whole: {blob.name.rpartition('/')[2]} is missing")
            if result is not None and not isinstance(result, _DAMAGED):
                raise result
            if result is None and describe(pending[blob.name]) == files[blob.name]:
                del pending[blob.name]
        if not pending:
            return
    raise ValueError(f"the artifact {uri} was altered: {min(pending).rpartition('/')[2]} is not as it was described")


def _read(blob: storage.Blob) -> bytes | None:
    """An object's bytes, None where there is none."""

    def ask() -> bytes:
        content = blob.download_as_bytes(checksum="crc32c", **_patience())
        if blob.crc32c != checksum(content):  # which the client does not check of what came in two parts
            raise DataCorruption(None, f"gs://{blob.bucket.name}/{blob.name} arrives damaged each time")
        return content

    try:
        return _again(ask)
    except exceptions.NotFound:
        _require_bucket(blob)
        # Where an answer broke off, the client asks for the rest of what was there, and another may be there since.
        replaced = _again(lambda: blob.bucket.get_blob(blob.name, **_patience()))
        return _read(replaced) if replaced else None


def _delete(blob: storage.Blob) -> None:
    with suppress(exceptions.NotFound, exceptions.PreconditionFailed):  # by another, or us: a lost acknowledgement
        blob.delete(if_generation_match=blob.generation, **_patience())


def _all(uri: str) -> dict[str, storage.Blob]:
    """The object of this name and those below, by name."""
    blob = _blob(uri)
    found = _again(lambda: list(client().list_blobs(blob.bucket, prefix=blob.name, **_patience())))
    return {other.name: other for other in found if f"{other.name}/".startswith(f"{blob.name}/".lstrip("/"))}


def _names_below(blob: storage.Blob) -> list[str]:
    """Of the objects directly below, and of what is like a folder there, which end in a slash."""

    def ask() -> list[str]:
        prefix = f"{blob.name}/".lstrip("/")
        listing = client().list_blobs(blob.bucket, prefix=prefix, delimiter="/", **_patience())
        return [other.name for other in listing] + list(listing.prefixes)

    return _again(ask)


def _require_bucket(blob: storage.Blob) -> None:
    """Raise NotFound if it is not the object but its bucket that does not exist: both are a 404."""
    _again(lambda: next(client().list_blobs(blob.bucket, max_results=1, **_patience()).pages, None))


def _again(read: Callable[[], T]) -> T:
    """What `read` returns. It is called again where an answer broke off, or makes no sense: the client does not."""
    return DEFAULT_RETRY.with_predicate(lambda error: isinstance(error, _BROKEN)).with_timeout(DEADLINE)(read)()


def _lacking(expected: dict[str, Description], there: dict[str, storage.Blob]) -> list[str]:
    """The names of those that are not there as expected."""
    return [name for name, file in expected.items() if name not in there or _described(there[name]) != file]


def _described(blob: storage.Blob) -> Description:
    return {"size": blob.size, "crc32c": blob.crc32c}


def _blob(uri: str) -> storage.Blob:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    if not bucket:
        raise ValueError(f"{uri!r} names no bucket: it must be gs://bucket/prefix")
    with _errors(uri):
        return client().bucket(bucket).blob(name.rstrip("/"))


@functools.cache
def client() -> storage.Client:
    """The connection of this process, with the credentials that it finds the standard way.

    Raises:
        StorageError: the environment names a local server that is no URL, which would be asked for in vain.
    """
    local = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if local and not local.startswith(("http://", "https://")):
        raise StorageError(f"STORAGE_EMULATOR_HOST must be a URL such as http://localhost:4443, got {local!r}")
    tell_of_retries()
    return storage.Client()


def _patience() -> dict[str, Any]:
    return {"retry": DEFAULT_RETRY.with_timeout(DEADLINE), "timeout": TIMEOUT}


def _rival(uri: str) -> StorageError:
    return StorageError(f"{uri} was not written: another process has written something else there")


def _unwritten(uri: str, refused: object) -> StorageError:
    """What is said after the last try; `refused` is what the storage had against one."""
    reason = _said(refused) if isinstance(refused, exceptions.BadRequest) else "the storage alters what it is sent"
    return StorageError(f"{uri} cannot be written, and was tried {TRIES} times: {reason}")


def _said(error: object) -> str:
    return " ".join(str(error).split())


@contextmanager
def _errors(uri: str) -> Iterator[None]:
    """Says in one sentence what the storage has against a request."""
    bucket = "gs://" + uri.removeprefix("gs://").partition("/")[0]
    try:
        yield
    except GoogleAuthError as error:
        raise StorageError(
            f"{bucket} needs credentials for Google Cloud, which are missing or expired: "
            "gcloud auth application-default login"
        ) from error
    except exceptions.NotFound as error:
        raise StorageError(f"there is no bucket {bucket}: gcloud storage buckets create {bucket}") from error
    except (exceptions.Forbidden, exceptions.Unauthorized) as error:
        remedy = (
            "bash setup/storage.sh up"
            if "_KFP_RUNTIME" in os.environ  # in a pod, whose rights it gives
            else f"gcloud storage buckets add-iam-policy-binding {bucket} --member=user:YOU@DOMAIN "
            "--role=roles/storage.objectUser"
        )
        raise StorageError(f"{bucket} does not let these credentials in: {remedy} ({_said(error)})") from error
    except _UNANSWERED as error:
        raise StorageError(f"{bucket} does not answer, and was asked for {DEADLINE:g} s: {_said(error)}") from error
    except exceptions.GoogleAPICallError as error:
        raise StorageError(f"{uri}: the storage refuses: {_said(error)}") from error
