"""The training loop of both learners. Killed at any moment, it goes on from its checkpoint.

On processors of one type it ends with the same bytes as one left alone; on a GPU the tests hold the losses of short
trainings to 2 %.

Of several processes (`models.ranks`) that train together all go through this loop alike, and the first alone writes and
tells. Its checkpoint is that of a single process, and the other way round.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from models.checkpoint import INCOMING, load_training, save_training
from models.phase import Film, Phase
from models.ranks import any_of_us, rank, ranks
from models.signals import stops_put_off
from models.steps import NotFinite, Steps, steps_of

CHECKPOINT, METRICS = "training.safetensors", "metrics.jsonl"
ROWS = 200  # rows of a phase in the metrics
LOOKED_AT = 25  # rows from one look at the episodes that nothing is learned from to the next


class TrainingError(Exception):
    """The training cannot go on, and would not if it were tried again."""


class OtherTraining(ValueError):
    """There is a checkpoint, but of another configuration, other code or other data: its result would be neither's."""


OnStep = Callable[[Phase, int, dict[str, float], Film | None], None]


def train(
    weights: nn.Module,
    phases: Sequence[Phase],
    folder: Path,
    identity: dict[str, Any],
    *,
    save_every: float = 60.0,
    on_step: OnStep = lambda phase, step, row, film: None,
    on_save: Callable[[], None] = lambda: None,
) -> None:
    """Take `weights` through the phases, with a checkpoint and `metrics.jsonl` in `folder`.

    The checkpoint has the rows of the metrics in it; the file is for who watches. SIGTERM and Ctrl-C act after the step
    that they find the training in, when it is saved.

    Args:
        identity: what the result depends on, as JSON; a checkpoint of anything else is not gone on from.
        save_every: seconds between checkpoints.
        on_step: told of each row of the metrics, and given the film where there is a new one.
        on_save: told when a checkpoint is whole.

    Raises:
        TrainingError: the loss or its gradient is not finite. The weights before that step are in the checkpoint; on a
            single GPU, where it is noticed later, the checkpoint is the last one that was due before.
        OtherTraining: there is a checkpoint with another identity.
        ValueError: there is a checkpoint, and it is damaged; or the processes cannot share a batch.
        OSError: a checkpoint cannot be written. The one before it is still there.
    """
    _require_equal_parts(phases)
    first = rank() == 0
    if first:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"*{INCOMING}"):  # of a process that was killed
            left.unlink(missing_ok=True)
    saved, first_phase, first_step, rows = _restore(weights, phases, folder / CHECKPOINT, identity)
    if first:
        (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    last_save = time.monotonic()

    def save(phase: int, step: int, steps: Steps | None = None) -> None:
        nonlocal last_save
        if first:
            tensors = _prefixed("weights.", weights.state_dict())
            if steps:
                tensors |= _prefixed("optimizer.", steps.optimizer.state())
                tensors |= _prefixed("average.", steps.average.state_dict())
            facts = {"identity": identity, "phase": phase, "step": step, "rows": rows}
            save_training(folder / CHECKPOINT, tensors, facts)
            on_save()
        last_save = time.monotonic()

    device = next(weights.parameters()).device
    for index in range(first_phase, len(phases)):
        phase = phases[index]
        steps = steps_of(phase, device)
        if first_step:
            steps.optimizer.load(_below("optimizer.", saved))
            steps.average.load_state_dict(_below("average.", saved))
        every = max(1, phase.steps // ROWS)
        with stops_put_off() as told_to_stop, steps.running():
            try:
                for step in range(first_step, phase.steps):
                    stop, due = any_of_us(told_to_stop(), time.monotonic() - last_save >= save_every)
                    if step > first_step and (stop or due):
                        steps.settle()
                        save(index, step, steps)
                    if stop:
                        break
                    taken, done = steps.take(step), step + 1
                    if first and (done % every == 0 or done == phase.steps):
                        steps.settle()
                        look = done % (every * LOOKED_AT) == 0 or done == phase.steps
                        seen, film = _look(steps) if look else ({}, None)
                        row = {"samples": done * phase.batch, "loss": taken.loss.item()}
                        row |= {"gradient_norm": taken.norm.item(), "learning_rate": steps.rate}
                        row |= {name: value.item() for name, value in taken.figures.items()} | seen
                        rows.append({"phase": phase.name, "step": done, **row})
                        with (folder / METRICS).open("a") as file:
                            file.write(json.dumps(rows[-1]) + "\n")
                        on_step(phase, done, row, film)
                else:
                    steps.module.load_state_dict(steps.average.state_dict())
                    save(index + 1, 0)
            except NotFinite as error:
                said = f"the {error} is not finite at step {step + 1} of the phase {phase.name}"
                if not error.sound:  # it shows when it is looked for, which may be many steps later
                    raise TrainingError(f"{said} or before; nothing since the last checkpoint is kept") from None
                save(index, step, steps)
                raise TrainingError(f"{said}; the weights before it are in the checkpoint") from None
        if stop:  # another process was told to, this one was not yet
            raise SystemExit(128 + signal.SIGTERM)
        first_step = 0


def _require_equal_parts(phases: Sequence[Phase]) -> None:
    for phase in phases:
        if phase.batch % ranks():
            raise ValueError(
                f"the batch of the phase {phase.name} must be a multiple of the {ranks()} processes that share it, got "
                f"{phase.batch}"
            )


def _restore(
    weights: nn.Module, phases: Sequence[Phase], checkpoint: Path, identity: dict[str, Any]
) -> tuple[dict[str, Tensor], int, int, list[dict[str, Any]]]:
    """Load the checkpoint into `weights`: its tensors, the phase and step that come next, and the rows until then."""
    if not checkpoint.exists():
        return {}, 0, 0, []
    try:
        saved, facts = load_training(checkpoint)
    except ValueError as error:
        raise ValueError(f"{error}; remove it to start over") from error
    if not _sensible(facts, phases):
        raise ValueError(f"{checkpoint} is not where a training like this one can be; remove it to start over")
    ours, theirs = json.loads(json.dumps(identity)), facts["identity"]
    if other := [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]:
        raise OtherTraining(f"{checkpoint} is the checkpoint of another training: other {', '.join(other)}")
    try:
        weights.load_state_dict(_below("weights.", saved))
    except RuntimeError as error:
        raise ValueError(f"{checkpoint} has weights of another architecture; remove it to start over") from error
    return saved, facts["phase"], facts["step"], facts["rows"]


def _sensible(facts: dict[str, Any], phases: Sequence[Phase]) -> bool:
    """Whether the facts of a checkpoint are of the right types, and name a step that there is."""
    types = {"identity": dict, "phase": int, "step": int, "rows": list}
    if any(type(facts.get(name)) is not expected for name, expected in types.items()):
        return False
    steps = [phase.steps for phase in phases] + [1]  # the last for a training that is done
    there = 0 <= facts["phase"] < len(steps) and 0 <= facts["step"] < steps[facts["phase"]]
    return there and all(isinstance(row, dict) for row in facts["rows"])


def _look(steps: Steps) -> tuple[dict[str, float], Film | None]:
    with _exchanged(steps.module, steps.average):
        return steps.phase.look()


@contextmanager
def _exchanged(module: nn.Module, average: nn.Module) -> Iterator[None]:
    """The module has the averaged weights, which are those that are kept, until the block ends."""

    def exchange() -> None:
        for one, other in zip(module.parameters(), average.parameters(), strict=True):
            one.data, other.data = other.data, one.data

    exchange()
    try:
        yield
    finally:
        exchange()


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
