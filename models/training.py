"""The training loop of both learners. Killed at any moment, it goes on from its checkpoint to the same bytes."""

import copy
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.checkpoint import load_training, save_training
from models.optimizer import Optimizer
from models.signals import stops_put_off

CHECKPOINT, METRICS = "training.safetensors", "metrics.jsonl"
ROWS = 200  # rows of a phase in the metrics
# Share of the learning rates in a training that goes on from given weights. From those of a smoke run, another smoke
# run on fresh data with it brings the dream's error at horizon 5 from 1.27 to 1.10 px, with 0.03 to 1.20. From the
# pretrained ones, of 60 times as many steps, no share gains: from 0.27 px it goes to 0.32, with 0.03 to 0.29, with 1 to
# 0.46. Frames to settle stay what they were in all cases but the last.
GENTLE = 0.1
LOOKED_AT = 25  # rows from one look at the episodes that nothing is learned from to the next

Film = Float[np.ndarray, "height width 3"]  # one picture, 0..1


class TrainingError(Exception):
    """The training cannot go on, and would not if it were tried again."""


class OtherTraining(ValueError):
    """There is a checkpoint, but of another configuration, other code or other data: its result would be neither's."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one loss.

    `begin` prepares it, from the weights as the phase before left them, and returns the module to train. `loss`, a
    function of the step alone, returns what to descend and further figures to record. `look`, a function of the weights
    alone, returns figures of episodes that nothing is learned from, to record too, and a film of some.
    """

    name: str
    steps: int
    batch: int  # what a step learns from: observations, sequences or dreams
    rate: float  # Muon's learning rate
    average: float  # decay of the averaged weights, which the phase ends with
    begin: Callable[[], nn.Module]
    loss: Callable[[int], tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]]
    look: Callable[[], tuple[dict[str, float], Film | None]] = lambda: ({}, None)
    share: float = 1.0  # of the learning rates, Muon's and Adam's


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
        TrainingError: the loss or its gradient is not finite. The weights before that step are in the checkpoint.
        OtherTraining: there is a checkpoint with another identity.
        ValueError: there is a checkpoint, and it is damaged.
        OSError: a checkpoint cannot be written. The one before it is still there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CHECKPOINT).with_suffix(".incoming").unlink(missing_ok=True)  # of a process that was killed
    saved, first_phase, first_step, rows = _restore(weights, phases, folder / CHECKPOINT, identity)
    (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    last_save = time.monotonic()

    def save(phase: int, step: int, optimizer: Optimizer | None = None, average: nn.Module | None = None) -> None:
        nonlocal last_save
        tensors = _prefixed("weights.", weights.state_dict())
        if optimizer and average:
            tensors |= _prefixed("optimizer.", optimizer.state()) | _prefixed("average.", average.state_dict())
        facts = {"identity": identity, "phase": phase, "step": step, "rows": rows}
        save_training(folder / CHECKPOINT, tensors, facts)
        on_save()
        last_save = time.monotonic()

    for index in range(first_phase, len(phases)):
        phase = phases[index]
        module = phase.begin()
        optimizer = Optimizer(module, phase.rate, phase.steps, phase.share)
        average = copy.deepcopy(module)
        if first_step:
            optimizer.load(_below("optimizer.", saved))
            average.load_state_dict(_below("average.", saved))
        with stops_put_off() as told_to_stop:
            for step in range(first_step, phase.steps):
                stop = told_to_stop()
                if step > first_step and (stop or time.monotonic() - last_save >= save_every):
                    save(index, step, optimizer, average)
                if stop:
                    break
                loss, figures = phase.loss(step)
                loss.backward()
                norm = optimizer.clip()
                if not (loss.isfinite() and norm.isfinite()):
                    save(index, step, optimizer, average)
                    raise TrainingError(
                        f"the {'gradient' if loss.isfinite() else 'loss'} is not finite at step {step + 1} of the "
                        f"phase {phase.name}; the weights before it are in the checkpoint"
                    )
                rate = optimizer.step(step)
                _follow(average, module, min(phase.average, (1 + step) / (10 + step)))
                every, done = max(1, phase.steps // ROWS), step + 1
                if done % every == 0 or done == phase.steps:
                    row = {"samples": done * phase.batch, "loss": loss.item(), "gradient_norm": norm.item()}
                    row |= {"learning_rate": rate, **{name: value.item() for name, value in figures.items()}}
                    film = None
                    if done % (every * LOOKED_AT) == 0 or done == phase.steps:
                        with _exchanged(module, average):
                            seen, film = phase.look()
                        row |= seen
                    rows.append({"phase": phase.name, "step": done, **row})
                    with (folder / METRICS).open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
                    on_step(phase, done, row, film)
            else:
                module.load_state_dict(average.state_dict())
                save(index + 1, 0)
        first_step = 0


def going_on(start: nn.Module, weights: nn.Module, phases: Sequence[Phase]) -> list[Phase]:
    """Give `weights` those of `start`, and the phases learning rates that do not undo what these have learned."""
    weights.load_state_dict(start.state_dict())
    return [replace(phase, share=GENTLE) for phase in phases]


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


def _follow(average: nn.Module, module: nn.Module, decay: float) -> None:
    """Move the averaged weights. Young averages forget faster, or they would remember the random start."""
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - decay)


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
