"""The training loop of both learners. Killed at any moment, it goes on from its checkpoint to the same bytes."""

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.checkpoint import load_training, save_training
from models.optimizer import Optimizer

CHECKPOINT, METRICS = "training.safetensors", "metrics.jsonl"
ROWS = 200  # rows of a phase in the metrics


class TrainingError(Exception):
    """The training cannot go on, and would not if it were tried again."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one loss.

    `begin` prepares it, from the weights as the phase before left them, and returns the module to train. `loss`, a
    function of the step alone, returns what to descend and further figures to record.
    """

    name: str
    steps: int
    rate: float  # Muon's learning rate
    average: float  # decay of the averaged weights, which the phase ends with
    begin: Callable[[], nn.Module]
    loss: Callable[[int], tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]]


OnStep = Callable[[Phase, int, dict[str, float]], None]


def train(
    weights: nn.Module,
    phases: Sequence[Phase],
    folder: Path,
    identity: dict[str, Any],
    *,
    save_every: float = 60.0,
    on_step: OnStep = lambda phase, step, row: None,
    on_save: Callable[[], None] = lambda: None,
) -> None:
    """Take `weights` through the phases, with a checkpoint and `metrics.jsonl` in `folder`.

    Args:
        identity: what the result depends on, as JSON; a checkpoint of anything else is not gone on from.
        save_every: seconds between checkpoints.
        on_step: told of each row of the metrics.
        on_save: told when a checkpoint is whole.

    Raises:
        TrainingError: the loss or its gradient is not finite. The weights before that step are in the checkpoint.
        ValueError: there is a checkpoint, and it is damaged or of another training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved, first_phase, first_step = _restore(weights, phases, folder, identity)
    last_save = time.monotonic()

    def save(phase: int, step: int, optimizer: Optimizer | None = None, average: nn.Module | None = None) -> None:
        nonlocal last_save
        tensors = _prefixed("weights.", weights.state_dict())
        if optimizer and average:
            tensors |= _prefixed("optimizer.", optimizer.state()) | _prefixed("average.", average.state_dict())
        save_training(folder / CHECKPOINT, tensors, {"identity": identity, "phase": phase, "step": step})
        on_save()
        last_save = time.monotonic()

    for index in range(first_phase, len(phases)):
        phase = phases[index]
        module = phase.begin()
        optimizer = Optimizer(module, phase.rate, phase.steps)
        average = copy.deepcopy(module)
        if first_step:
            optimizer.load(_below("optimizer.", saved))
            average.load_state_dict(_below("average.", saved))
        for step in range(first_step, phase.steps):
            loss, figures = phase.loss(step)
            loss.backward()
            norm = optimizer.clip()
            if not (loss.isfinite() and norm.isfinite()):
                save(index, step, optimizer, average)
                raise TrainingError(
                    f"the {'gradient' if loss.isfinite() else 'loss'} is not finite at step {step + 1} of the phase "
                    f"{phase.name}; the weights before it are kept in {folder / CHECKPOINT}"
                )
            optimizer.step(step)
            _follow(average, module, min(phase.average, (1 + step) / (10 + step)))
            if (step + 1) % max(1, phase.steps // ROWS) == 0 or step + 1 == phase.steps:
                row = {"loss": loss.item(), "gradient_norm": norm.item()}
                row |= {name: value.item() for name, value in figures.items()}
                with (folder / METRICS).open("a") as file:
                    file.write(json.dumps({"phase": phase.name, "step": step + 1, **row}) + "\n")
                on_step(phase, step + 1, row)
            if time.monotonic() - last_save >= save_every and step + 1 < phase.steps:
                save(index, step + 1, optimizer, average)
        module.load_state_dict(average.state_dict())
        save(index + 1, 0)
        first_step = 0


def _restore(
    weights: nn.Module, phases: Sequence[Phase], folder: Path, identity: dict[str, Any]
) -> tuple[dict[str, Tensor], int, int]:
    """Load the checkpoint into `weights` and cut the metrics back to it: its tensors, phase and step."""
    if not (folder / CHECKPOINT).exists():
        (folder / METRICS).write_text("")
        return {}, 0, 0
    saved, facts = load_training(folder / CHECKPOINT)
    if facts["identity"] != json.loads(json.dumps(identity)):
        raise ValueError(f"{folder / CHECKPOINT} is the checkpoint of another training: {facts['identity']}")
    weights.load_state_dict(_below("weights.", saved))
    order = [phase.name for phase in phases]
    rows = [json.loads(line) for line in (folder / METRICS).read_text().splitlines(keepends=True) if line[-1] == "\n"]
    done = [row for row in rows if (order.index(row["phase"]), row["step"]) <= (facts["phase"], facts["step"])]
    incoming = (folder / METRICS).with_suffix(".incoming")
    incoming.write_text("".join(json.dumps(row) + "\n" for row in done))
    incoming.replace(folder / METRICS)
    return saved, facts["phase"], facts["step"]


def _follow(average: nn.Module, module: nn.Module, decay: float) -> None:
    """Move the averaged weights. Young averages forget faster, or they would remember the random start."""
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - decay)


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
