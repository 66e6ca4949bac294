"""What a training is made of: phases, each with one loss on batches that are drawn for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor, nn

# Share of the learning rates in a training that goes on from given weights. From those of a smoke run, another smoke
# run on fresh data with it brings the dream's error at horizon 5 from 1.27 to 1.10 px, with 0.03 to 1.20. From the
# pretrained ones, of 60 times as many steps, no share gains: from 0.27 px it goes to 0.32, with 0.03 to 0.29, with 1 to
# 0.46. Frames to settle stay what they were in all cases but the last.
GENTLE = 0.1

Film = Float[np.ndarray, "height width 3"]  # one picture, 0..1
Figures = dict[str, Float[Tensor, ""]]


class Batch(NamedTuple):
    """What a step learns from: numbers of episodes and timesteps, or what is in no dataset, and what else is drawn.

    Attributes:
        plan: lengths that all samples share, as the context and the horizon. Steps of one plan compute alike.
        rows: of each, row i is sample i's.
    """

    plan: tuple[int, ...]
    rows: tuple[Shaped[Tensor, "batch ..."], ...]


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one loss.

    `begin` prepares it, from the weights as the phase before left them, and returns the module to train. `draw`, a
    function of the step alone, says on the processor what a step learns from; `loss`, a function of the batch, whose
    rows are where the weights are, returns what to descend and further figures to record, means over the rows all of
    them, for several processes are given a part of the rows each. `look`, a function of the weights alone, returns
    figures of episodes that nothing is learned from, to record too, and a film of some.
    """

    name: str
    steps: int
    batch: int  # what a step learns from: observations, sequences or dreams
    rate: float  # Muon's learning rate
    average: float  # decay of the averaged weights, which the phase ends with
    begin: Callable[[], nn.Module]
    draw: Callable[[int], Batch]
    loss: Callable[[Batch], tuple[Float[Tensor, ""], Figures]]
    look: Callable[[], tuple[dict[str, float], Film | None]] = lambda: ({}, None)
    share: float = 1.0  # of the learning rates, Muon's and Adam's


def going_on(start: nn.Module, weights: nn.Module, phases: Sequence[Phase]) -> list[Phase]:
    """Give `weights` those of `start`, and the phases learning rates that do not undo what these have learned."""
    weights.load_state_dict(start.state_dict())
    return [replace(phase, share=GENTLE) for phase in phases]
