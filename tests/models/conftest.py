"""A world that is small enough to learn in seconds, its episodes as the learners get them, and a pair that learned.

Also trainings of a few steps, for the tests of the loop.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from short_trainings import SHORT, SHORT_POLICY, beyond

from models.config import PolicyConfig, PolicyTraining, WorldModelConfig, WorldModelTraining
from models.dataset import Dataset, write_shard
from models.policy import Policy
from models.train_policy import train_policy
from models.train_world_model import train_world_model
from models.world_model import WorldModel
from sim_core.episodes import random_episodes
from sim_core.world import World


class Learned(NamedTuple):
    model: WorldModel
    policy: Policy


@pytest.fixture(scope="session")
def world() -> World:
    return World(size=16, frames=2)


@pytest.fixture(scope="session")
def tiny() -> WorldModelConfig:
    return WorldModelConfig(size=16, frames=2, maps=8, latent=8, hidden=32, rank=6, state=16, lstm=16, mlp=32, memory=2)


@pytest.fixture(scope="session")
def write_episodes() -> Callable[[Path, World, range, int], Path]:
    """Writes training episodes `indices` of 1 + `timesteps` timesteps into a new folder, and returns it."""

    def write(folder: Path, world: World, indices: range, timesteps: int) -> Path:
        folder.mkdir(parents=True)
        write_shard(folder, [random_episodes("training", indices, timesteps, world)], world)
        return folder

    return write


@pytest.fixture(scope="session")
def dataset(tmp_path_factory, write_episodes, world) -> Dataset:
    folder = tmp_path_factory.mktemp("dataset")
    return Dataset(
        [write_episodes(folder / name, world, part, 9) for name, part in (("0", range(192)), ("1", range(192, 384)))]
    )


@pytest.fixture(scope="session")
def learned(tmp_path_factory, dataset, tiny) -> Learned:
    """A world model and a policy after seven seconds of training."""
    folder = tmp_path_factory.mktemp("learned")
    world_model_training = WorldModelTraining(
        autoencoder_steps=300,
        dynamics_steps=300,
        dynamics_batch=128,
        decoder_steps=100,
        horizons=(2, 4, 6),
        average=0.98,
    )
    policy_training = PolicyTraining(steps=300, batch=64, horizon=6, average=0.98)
    model = train_world_model(tiny, world_model_training, dataset, folder / "world_model")
    return Learned(model, train_policy(PolicyConfig(32), policy_training, model, dataset, folder / "policy"))


@pytest.fixture
def learners(dataset, tiny) -> dict[str, Callable]:
    """Both trainings as functions of a folder and the loop's options."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = WorldModel(tiny).eval().requires_grad_(False)
    return {
        "world model": lambda folder, **options: train_world_model(tiny, SHORT, dataset, folder, **options),
        "refined world model": lambda folder, **options: train_world_model(
            replace(tiny, refinements=2), SHORT, dataset, folder, **options
        ),
        "endless world model": lambda folder, **options: train_world_model(
            tiny, SHORT, dataset, folder, endless=beyond(dataset), **options
        ),
        "policy": lambda folder, **options: train_policy(
            PolicyConfig(8), SHORT_POLICY, model, dataset, folder, **options
        ),
    }
