"""The shards of the training set: what each run of `generate_data` makes."""

from dataclasses import dataclass
from itertools import pairwise

from models.config import DataConfig
from sim_core.world import World


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


def split(data: DataConfig, world: World) -> list[Shard]:
    """The shards of a training set, as equal as can be."""
    bounds = [data.episodes * i // data.shards for i in range(data.shards + 1)]
    common = (world, data.seed, data.timesteps, data.original_share)
    return [Shard(*common, first, end - first) for first, end in pairwise(bounds)]
