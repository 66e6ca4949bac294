"""What the steps share that train, or judge what was trained: checkpoints, and failures that are not tried again."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from components.fingerprint import Code, digest
from components.progress import progress
from components.storage import MANIFEST, Checkpoints, require_run, verified
from components.tensorboard import curves
from models.checkpoint import WEIGHTS
from models.phase import Film, Phase
from models.ranks import from_the_first, rank, wait_for_all
from models.signals import end_with_parent
from models.training import CHECKPOINT, METRICS, OtherTraining, TrainingError

SECONDS = "DREAMBLOCK_CHECKPOINT_SECONDS"  # a variable and no parameter: what comes out does not depend on it
Learned = TypeVar("Learned", bound=nn.Module)


def identity_of(component: str, config: dict[str, Any], **artifacts: list[Path]) -> dict[str, Any]:
    """What the result of a step depends on: its parameter, and digests of its code and of the artifacts given to it."""
    code = Code().reached(f"import components.{component}")
    contents = {name: [digest((path / MANIFEST).read_bytes()) for path in paths] for name, paths in artifacts.items()}
    return {"config": config, "code": digest(json.dumps(code)), **contents}


def resumable(
    train: Callable[..., Learned], output: str, identity: dict[str, Any], start_from: str
) -> tuple[Learned, str]:
    """What `train(folder, inputs=, **options)` of `models` returns, and the rows of its metrics.

    It goes on from the checkpoint of its task, or of the same task in the run `start_from`, and starts over where that
    is of another training. Of several ranks the first keeps the checkpoints and shows how far they are; the rows that
    the others return are none.

    Args:
        output: the URI of the step's output.
        identity: what the result depends on, as `identity_of` gives it.

    Raises:
        TrainingError: this training fails, now or when it was tried before.
        ValueError: there is no run `start_from`, or a checkpoint cannot be used.
        OSError, StorageError: a checkpoint cannot be kept.
    """
    if "_KFP_RUNTIME" in os.environ:  # in a container, whose command is a shell
        end_with_parent()
    if rank() != 0:
        return _gone_on(train, Path(from_the_first("")), identity), ""
    if start_from:
        require_run(output, start_from)
    checkpoints = Checkpoints(output, identity, start_from)
    draw = curves(output, checkpoints.folder / METRICS)
    with failing_for_good(checkpoints), progress() as show:

        def on_step(phase: Phase, step: int, row: dict[str, float], film: Film | None) -> None:
            show(phase.name, step, phase.steps, f"loss {row['loss']:.3g}")
            draw(phase, step, row, film)

        folder = Path(from_the_first(str(checkpoints.folder)))
        learned = _gone_on(train, folder, identity, on_step=on_step, on_save=checkpoints.save)
    return learned, (folder / METRICS).read_text()


def _gone_on(train: Callable[..., Learned], folder: Path, identity: dict[str, Any], **told: Any) -> Learned:
    """What `train` returns, from the checkpoint in `folder` unless that is of another training."""
    run = partial(train, folder, inputs=identity, save_every=checkpoint_seconds(), **told)
    try:
        return run()
    except OtherTraining as other:
        wait_for_all()  # before it is gone, the others have read it too
        if rank() == 0:
            print(f"  {other}; starting over", file=sys.stderr)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        return run()


def first_weights(artifact: str) -> str:
    """The folder with weights to begin from that an artifact of the step `start` is; "" if it holds none."""
    folder = verified(artifact)
    return str(folder) if (folder / WEIGHTS).exists() else ""


@contextmanager
def failing_for_good(checkpoints: Checkpoints) -> Iterator[None]:
    """A block that a retry does not enter again: when it has raised a TrainingError, a marker says so."""
    if failure := checkpoints.failure():
        raise TrainingError(failure)
    try:
        yield
    except TrainingError as error:
        checkpoints.fail(error)
        raise


def checkpoint_seconds() -> float:
    """Seconds between checkpoints.

    Raises:
        ValueError: the environment says something else than a number.
    """
    text = os.environ.get(SECONDS, "60")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not seconds >= 0:
        raise ValueError(f"{SECONDS} must be a number of seconds, got {text!r}")
    return seconds
