"""The training of the world model."""

from kfp.dsl import Input, Output

from components import artifacts
from components.component import component


@component
def train_world_model(
    config: dict,
    episodes: Input[artifacts.Shards],
    initial: Input[artifacts.WorldModel],
    world_model: Output[artifacts.WorldModel],
    start_from: str = "",
):
    """Train a world model on all shards.

    It begins from the weights in `initial` if there are any, and goes on from the checkpoint of the run `start_from` if
    there is one that fits.
    """
    from functools import partial

    from components import storage
    from components.configuration import from_dict
    from components.training import first_weights, identity_of, resumable
    from models.checkpoint import load_world_model, save_world_model
    from models.config import WorldModelConfig, WorldModelTraining
    from models.dataset import Dataset
    from models.process import prepare
    from models.train_world_model import train_world_model as train
    from models.training import METRICS

    prepare()
    architecture = from_dict(WorldModelConfig, config["world_model"])
    training = from_dict(WorldModelTraining, config["training"])
    shards = [storage.verified(shard.path) for shard in episodes]
    dataset = Dataset(shards)
    first = first_weights(initial.path)
    start = load_world_model(first) if first else None
    identity = identity_of("train_world_model", config, episodes=shards, initial=[first] if first else [])
    run = partial(train, architecture, training, dataset, start=start)
    model, rows = resumable(run, world_model.uri, identity, start_from)
    with storage.writing(world_model.path) as folder:
        save_world_model(folder, model, dataset.world)
        (folder / METRICS).write_text(rows)
