"""What a run has made, out of the bucket: films, report and figures, checked and whole on this machine."""

from pathlib import Path

from components import storage
from components.configuration import nearest
from components.storage import MANIFEST
from pipelines.cluster import PIPELINE

STEP, OUTPUT = "evaluate", "evaluation"


def evaluation(root: str, run_id: str) -> str | None:
    """The URI of a run's evaluation, None if it has left none that is whole.

    Raises:
        StorageError: the bucket is not there, or does not let us in.
    """
    step = storage.join(root, PIPELINE, run_id, STEP)
    for execution in storage.children(step):  # more than one after a retry
        if storage.whole(uri := storage.join(step, execution, OUTPUT)):
            return uri
    return None


def require_run(root: str, run_id: str) -> None:
    """Raise a ValueError that names the nearest run, if there is none of this id in the bucket."""
    known = storage.children(storage.join(root, PIPELINE))
    if run_id not in known:
        offer = f"the nearest of {len(known)} is {nearest(run_id, known)}" if known else "there are none"
        raise ValueError(f"there is no run {run_id!r} in {root}: {offer}")


def fetch(uri: str, folder: Path) -> list[Path]:
    """Bring an artifact into `folder`, which appears whole or not at all: its files.

    Raises:
        ValueError: what lies in the bucket is not what was written, or `folder` holds something else.
        StorageError, OSError: the bucket, or the disk, does not do as it is asked.
    """
    if folder.exists() and not (folder / MANIFEST).exists():
        raise ValueError(f"{folder} is there already, and holds something else: name another folder with -o")
    folder.parent.mkdir(parents=True, exist_ok=True)
    return sorted(file for file in storage.fetch(uri, folder).iterdir() if file.name != MANIFEST)
