"""How long the trainer waits for its data: python -m benchmarks feeding"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row
from models.config import WorldModelConfig, WorldModelTraining
from models.dataset import Dataset, write_shard
from models.process import prepare
from models.train_world_model import train_world_model
from sim_core.episodes import random_episodes
from sim_core.world import World

EPISODES, TIMESTEPS = 1024, 16
STEPS = 200


class TimedDataset(Dataset):
    """Adds up the CPU seconds in which observations are fetched, which nothing else does meanwhile."""

    seconds = 0.0

    def observations(self, episodes, timesteps):
        start = time.process_time()
        found = super().observations(episodes, timesteps)
        self.seconds += time.process_time() - start
        return found


def rows() -> Iterator[Row]:
    """The autoencoder's phase, the only one that reads frames alone, on a dataset that is mapped from the disk."""
    prepare()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_shard(folder, [random_episodes("training", range(EPISODES), TIMESTEPS, World())], World())
        dataset = TimedDataset([folder])
        marks = []

        def on_step(phase, step, row, film):
            if phase.name == "autoencoder":
                marks.append((step, dataset.seconds, time.process_time()))

        short = WorldModelTraining(autoencoder_steps=STEPS, dynamics_steps=1, decoder_steps=1)
        train_world_model(WorldModelConfig(), short, dataset, folder / "training", on_step=on_step)
    (first, waited, begun), (last, waited_last, ended) = marks[0], marks[-1]
    steps = last - first
    waiting, step = (waited_last - waited) / steps, (ended - begun) / steps
    yield Row(
        "data feeding the trainer, share of the time that it waits",
        f"{1e3 * waiting:.3f} ms of a step",
        f"a step of the autoencoder: {1e3 * step:.1f} ms",
        100 * waiting / step,
        5,
        1,
        unit="%",
        higher_is_better=False,
    )
