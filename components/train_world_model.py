"""The training of the world model."""

from kfp.dsl import Input, Output

from components import artifacts
from components.component import component


@component
def train_world_model(
    config: dict,
    episodes: Input[artifacts.Shards],
    world_model: Output[artifacts.WorldModel],
    start_from: str = "",
):
    """Train a world model on all shards, from the checkpoint of the run `start_from` if there is one that fits."""
    from components.distributed import on_all_gpus
    from components.learn_world_model import learn_world_model
    from components.storage import verified

    shards = [str(verified(shard.path)) for shard in episodes]
    on_all_gpus(learn_world_model, config, shards, world_model.path, world_model.uri, start_from)
