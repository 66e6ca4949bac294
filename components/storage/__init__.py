"""Where runs lie: a local folder or a bucket, `gs://bucket/prefix`, by the same few functions.

Nothing outside of this package knows which of the two it has. What it knows is URIs, which `join` puts together, and
local folders: an artifact is written to one with `writing`, and read from one with `verified`.

Errors of all functions:
    ValueError: what lies there is not what was written, or the URI is none; one sentence that names it.
    StorageError: the storage does not do what it is asked; one sentence, with the command that mends it.
    OSError: the same of a local disk.
"""

from components.storage.checkpoints import Checkpoints, require_run
from components.storage.errors import StorageError
from components.storage.manifest import INCOMING, MANIFEST, is_part, verified, writing
from components.storage.uris import (
    children,
    exists,
    fetch,
    join,
    local,
    publish,
    read_manifest,
    read_text,
    read_version,
    remove,
    replace_text,
    size,
    sweep,
    sweep_old,
    whole,
    write_text,
)

__all__ = [
    "INCOMING",
    "MANIFEST",
    "Checkpoints",
    "StorageError",
    "children",
    "exists",
    "fetch",
    "is_part",
    "join",
    "local",
    "publish",
    "read_manifest",
    "read_text",
    "read_version",
    "remove",
    "replace_text",
    "require_run",
    "size",
    "sweep",
    "sweep_old",
    "verified",
    "whole",
    "write_text",
    "writing",
]
