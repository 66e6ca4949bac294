"""Weights as small as they can be, untrained, where a person would have trained ones."""

import json
import os
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


def put_run(folder: Path, raster: str = "coverage", age: float = 0) -> Path:
    """A run with such weights and a record that says where they are, `age` seconds old."""
    put_weights(folder / "learned", raster)
    tasks = [{"artifacts": {name: {"uri": str(folder / "learned" / name)}}} for name in ("world_model", "policy")]
    record = {"pipeline": folder.parent.name, "run_id": folder.name, "tasks": tasks}
    (folder / "run.json").write_text(json.dumps(record))
    os.utime(folder, (1e9 - age, 1e9 - age))
    return folder
