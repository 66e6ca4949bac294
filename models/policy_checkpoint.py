"""A policy's weights on disk. Apart from `models.checkpoint`, for what needs world models alone knows no policies."""

import dataclasses
from pathlib import Path

from models.checkpoint import described, load, save
from models.config import PolicyConfig, WorldModelConfig
from models.policy import Policy


def save_policy(folder: Path, policy: Policy, world_model: WorldModelConfig) -> None:
    """Write the weights, and the architecture of the world model that they belong to, into an existing folder."""
    save(folder, policy, {"policy": dataclasses.asdict(policy.config), "world_model": dataclasses.asdict(world_model)})


def load_policy(folder: Path, world_model: WorldModelConfig) -> Policy:
    """The policy in a folder, frozen. `world_model` is the architecture that it shall act with.

    Raises:
        ValueError: as `load_world_model`, or the policy belongs to a world model of another architecture.
    """
    config = described(folder, "policy", PolicyConfig)  # first: a file that describes nothing is a policy's
    theirs = described(folder, "world_model", WorldModelConfig)
    for name, ours in dataclasses.asdict(world_model).items():
        if getattr(theirs, name) != ours:
            raise ValueError(
                f"the policy in {folder} belongs to a world model with {name} {getattr(theirs, name)}, "
                f"but this world model has {name} {ours}"
            )
    return load(folder, lambda: Policy(config, world_model))
