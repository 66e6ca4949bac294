"""The training set beyond a dataset: it has no end, and what nobody has seen is simulated when it is needed."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sim_core.episodes import random_episodes
from sim_core.raster import render
from sim_core.world import World


@dataclass(frozen=True)
class Endless:
    """The episodes of the training set from `first` on; the rest as in `sim_core.episodes.random_episodes`."""

    world: World
    seed: int
    original_share: float
    first: int

    def stretches(
        self, skipped: int, begins: Int[np.ndarray, " batch"], length: int
    ) -> tuple[UInt8[Tensor, "batch {length} frames size size"], Float[Tensor, "batch {length} 2"]]:
        """Frames, a byte a pixel, and forces of the episodes after the `skipped` first ones, one of each.

        Args:
            begins: the timesteps of their episodes with which the stretches begin.
        """
        first = self.first + skipped
        last = int(begins.max()) + length - 1
        numbers = range(first, first + len(begins))
        episodes = random_episodes("training", numbers, last, self.world, self.seed, self.original_share)
        where = np.arange(len(begins))[:, None], begins[:, None] + np.arange(length)
        frames = render(episodes.positions[where], self.world, np.uint8)
        return torch.from_numpy(frames), torch.from_numpy(episodes.forces[where])
