"""The checkpoints of a training, kept where its run lies: `<root>/<pipeline>/<run id>/checkpoints/<task>`."""

import json
import re
import shutil
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from components.storage import uris
from components.storage.manifest import INCOMING, MANIFEST, writing

CHECKPOINT = "training.safetensors"  # as in models.training, which every step would depend on if it were imported
FAILED = "failed.json"
KEPT = 2  # whole checkpoints in a bucket: the newest, and the one before it should the newest be damaged


def require_run(output: str, start_from: str) -> None:
    """Raise a ValueError if the pipeline that has an output at this URI has no run of the id `start_from`."""
    pipeline = output.rsplit("/", 4)[0]
    if not re.fullmatch(r"\w[\w.-]*", start_from) or not uris.exists(uris.join(pipeline, start_from)):
        raise ValueError(f"there is no run {start_from!r} in {pipeline} to start from")


class Checkpoints:
    """The checkpoints of one task's training, and the marker of a failure that no retry mends.

    Args:
        output: the URI of one of the task's outputs, `<root>/<pipeline>/<run id>/<task>/<execution>/<output>`.
        identity: what the training's result depends on, as JSON; a failure of any other training is none of this one.
        start_from: id of the run whose checkpoint of the same task is gone on from where this task has none yet; "" for
            no run.

    Attributes:
        uri: where the checkpoints are kept.
        folder: where the training has its files; it is there if there is something to go on from. In a local root it is
            the place itself; for a bucket it is temporary, and `save` brings what is in it to the bucket.

    Raises:
        ValueError, OSError, StorageError: as in `components.storage`.
    """

    def __init__(self, output: str, identity: dict[str, Any], start_from: str = ""):
        if "/" in start_from or start_from in (".", ".."):
            raise ValueError(f"start_from must be the id of a run of this pipeline, got {start_from!r}")
        run, task, _, _ = output.rsplit("/", 3)
        self._identity = json.loads(json.dumps(identity))
        self._scratch = tempfile.TemporaryDirectory(prefix="dreamblock-")  # removed with this object
        self.uri = uris.join(run, "checkpoints", task)
        self.folder = uris.local(self.uri, Path(self._scratch.name))
        if not self._bring(self.uri) and start_from:
            self._bring(uris.join(run.rpartition("/")[0], start_from, "checkpoints", task))

    def save(self) -> None:
        """Keep the files that are in `folder` now: all of them or, should it fail or be killed, those of before."""
        if Path(self.uri) == self.folder:
            return
        numbers, copy = _numbers(self.uri), Path(self._scratch.name, "copy")
        with writing(copy) as files:
            _copy(_files(self.folder), files)
        uris.publish(copy, uris.join(self.uri, str(max(numbers, default=0) + 1)))
        newest = (number for number in reversed(numbers) if uris.whole(uris.join(self.uri, str(number))))
        for number in set(numbers) - set(islice(newest, KEPT - 1)):
            uris.remove(uris.join(self.uri, str(number)))

    def fail(self, error: Exception) -> None:
        """Leave word that this training fails, however often it is tried."""
        uris.write_text(uris.join(self.uri, FAILED), json.dumps({"error": str(error), "identity": self._identity}))

    def failure(self) -> str | None:
        """What this same training failed of before, for good; None if it has not."""
        try:
            failed = json.loads(uris.read_text(uris.join(self.uri, FAILED)) or "null")
            return failed["error"] if failed["identity"] == self._identity else None
        except (ValueError, KeyError, TypeError):
            return None

    def _bring(self, uri: str) -> bool:
        """Fill the folder with what is kept at `uri`, the newest that is whole: whether there is anything."""
        if uris.local(uri, Path(self._scratch.name)) == Path(uri):
            there = (Path(uri) / CHECKPOINT).exists()
            if there and Path(uri) != self.folder:
                _copy(_files(Path(uri)), self.folder)
            return there
        for number in reversed(_numbers(uri)):
            checkpoint = uris.join(uri, str(number))
            if uris.whole(checkpoint):
                uris.fetch(checkpoint, self.folder)
                return True
            print(f"  the checkpoint {checkpoint} is not whole, the one before it is taken", file=sys.stderr)
        return False


def _files(folder: Path) -> list[Path]:
    """The training's own files, of which one that is still written is none.

    The checkpoint comes last: where it is, a copy of them is whole.
    """
    names = (MANIFEST, FAILED)
    found = [file for file in folder.iterdir() if file.name not in names and not file.name.endswith(INCOMING)]
    return sorted(found, key=lambda file: (file.name == CHECKPOINT, file.name))


def _copy(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        incoming = folder / f"{file.name}{INCOMING}"
        shutil.copy(file, incoming)
        incoming.rename(folder / file.name)


def _numbers(uri: str) -> list[int]:
    """The numbers of the checkpoints in a bucket, in the order in which they were begun."""
    return sorted(int(name) for name in uris.children(uri) if name.isdecimal())
