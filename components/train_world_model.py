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
    from components.distributed import on_all_gpus
    from components.learn_world_model import learn_world_model
    from components.storage import verified
    from components.training import first_weights

    shards = [str(verified(shard.path)) for shard in episodes]
    first = first_weights(initial.path)
    on_all_gpus(learn_world_model, config, shards, first, world_model.path, world_model.uri, start_from)
