"""The training of the world model from its files to its artifact."""

from functools import partial
from pathlib import Path
from typing import Any

from components import storage
from components.configuration import from_dict
from components.training import identity_of, resumable
from models.checkpoint import load_world_model, save_world_model
from models.config import WorldModelConfig, WorldModelTraining
from models.dataset import Dataset
from models.endless import Endless
from models.process import prepare
from models.ranks import rank
from models.train_world_model import train_world_model
from models.training import METRICS


def learn_world_model(
    config: dict[str, Any], episodes: list[str], first: str, path: str, uri: str, start_from: str
) -> None:
    """Train on verified shards into the artifact at `path`; the rest as in `components.training.resumable`.

    Args:
        first: a folder of weights to begin from, or "".
    """
    prepare()
    architecture = from_dict(WorldModelConfig, config["world_model"])
    training = from_dict(WorldModelTraining, config["training"])
    if "endless" not in config:
        raise ValueError("the pipeline was compiled by an older version of this project: compile it again")
    endless = from_dict(Endless, config["endless"]) if config["endless"] else None
    shards = [Path(shard) for shard in episodes]
    dataset = Dataset(shards)
    start = load_world_model(Path(first)) if first else None
    identity = identity_of("train_world_model", config, episodes=shards, initial=[Path(first)] if first else [])
    run = partial(train_world_model, architecture, training, dataset, endless=endless, start=start)
    model, rows = resumable(run, uri, identity, start_from)
    if rank() == 0:
        with storage.writing(path) as folder:
            save_world_model(folder, model, dataset.world)
            (folder / METRICS).write_text(rows)
