"""The shards of the training set: what each run of `generate_data` makes."""

import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from models.config import DataConfig
from models.endless import Endless
from sim_core.episodes import Episodes, random_episodes
from sim_core.world import World

PART = 1024  # episodes that are simulated at a time


@dataclass(frozen=True)
class Shard:
    """The episodes from `first` on, `episodes` of them."""

    world: World
    seed: int
    timesteps: int
    original_share: float
    first: int
    episodes: int

    @property
    def indices(self) -> range:
        return range(self.first, self.first + self.episodes)

    @property
    def size(self) -> int:
        """In bytes, on disk."""
        frames = self.world.frames * self.world.size**2  # a byte a pixel
        forces = 2 * 4
        return self.episodes * (self.timesteps + 1) * (frames + forces)

    def require_room(self, folder: Path) -> None:
        """Raise an OSError if it does not fit on the disk of a folder, before hours have gone into filling that."""
        free = shutil.disk_usage(folder).free
        if self.size > free:
            wanted = f"{self.episodes} episodes take {self.size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are left"
            raise OSError(errno.ENOSPC, f"No space left on device: {wanted}")

    def made(self) -> Iterator[Episodes]:
        """The episodes, a part at a time: of a large shard they would not fit into memory."""
        for first in range(0, self.episodes, PART):
            part = self.indices[first : first + PART]
            yield random_episodes("training", part, self.timesteps, self.world, self.seed, self.original_share)


def split(data: DataConfig, world: World) -> list[Shard]:
    """The shards of a training set, as equal as can be."""
    bounds = [data.episodes * i // data.shards for i in range(data.shards + 1)]
    common = (world, data.seed, data.timesteps, data.original_share)
    return [Shard(*common, first, end - first) for first, end in pairwise(bounds)]


def beyond(data: DataConfig, world: World) -> Endless:
    """The training set from where its shards end."""
    return Endless(world, data.seed, data.original_share, data.episodes)
