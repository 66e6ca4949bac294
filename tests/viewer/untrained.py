"""Weights as small as they can be, untrained, where a person would have trained ones."""

from pathlib import Path

from models.checkpoint import save_world_model
from models.config import PolicyConfig, WorldModelConfig
from models.policy import Policy
from models.policy_checkpoint import save_policy
from models.world_model import WorldModel
from sim_core.world import World

CONFIG = WorldModelConfig(maps=1, latent=2, hidden=2, rank=1, state=2, lstm=2, mlp=2)


def put_weights(folder: Path, raster: str = "coverage") -> None:
    """A world model and a policy, each in a folder of its own below `folder`."""
    for name in ("world_model", "policy"):
        (folder / name).mkdir(parents=True)
    save_world_model(folder / "world_model", WorldModel(CONFIG), World(raster=raster))
    save_policy(folder / "policy", Policy(PolicyConfig(2), CONFIG), CONFIG)
