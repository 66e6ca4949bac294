"""The training set beyond a dataset: it has no end, and what nobody has seen is simulated when it is needed.

No torch here: the pipeline's `plan` step says where a dataset ends.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, UInt8

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
    ) -> tuple[UInt8[np.ndarray, "batch {length} frames size size"], Float32[np.ndarray, "batch {length} 2"]]:
        """Frames, 0..255, and forces, within ±1, of a stretch of each of the next episodes.

        Args:
            skipped: how many episodes others have had before.
            begins: of each episode the timestep with which its stretch begins.
            length: timesteps of a stretch.

        Raises:
            ValueError: a timestep, a seed or a number of episodes is below 0.
        """
        first = self.first + skipped
        last = int(begins.max()) + length - 1
        numbers = range(first, first + len(begins))
        episodes = random_episodes("training", numbers, last, self.world, self.seed, self.original_share)
        where = np.arange(len(begins))[:, None], begins[:, None] + np.arange(length)
        return render(episodes.positions[where], self.world, np.uint8), episodes.forces[where]
