"""The training of the policy from its files to its artifact."""

from functools import partial
from pathlib import Path
from typing import Any

from components import storage
from components.configuration import from_dict
from components.training import identity_of, resumable
from models.checkpoint import load_world_model
from models.config import PolicyConfig, PolicyTraining
from models.dataset import Dataset
from models.policy_checkpoint import load_policy, save_policy
from models.process import prepare
from models.ranks import rank
from models.train_policy import train_policy
from models.training import METRICS


def learn_policy(
    config: dict[str, Any], episodes: list[str], world_model: str, first: str, path: str, uri: str, start_from: str
) -> None:
    """Train on verified shards and a world model into the artifact at `path`; the rest as in `learn_world_model`."""
    prepare()
    architecture = from_dict(PolicyConfig, config["policy"])
    training = from_dict(PolicyTraining, config["training"])
    teacher = Path(world_model)
    model = load_world_model(teacher)
    shards = [Path(shard) for shard in episodes]
    start = load_policy(Path(first), model.config) if first else None
    inputs = {"episodes": shards, "world_model": [teacher], "initial": [Path(first)] if first else []}
    identity = identity_of("train_policy", config, **inputs)
    run = partial(train_policy, architecture, training, model, Dataset(shards), start=start)
    learned, rows = resumable(run, uri, identity, start_from)
    if rank() == 0:
        with storage.writing(path) as folder:
            save_policy(folder, learned, model.config)
            (folder / METRICS).write_text(rows)
