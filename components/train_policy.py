"""The training of the policy."""

from kfp.dsl import Input, Output

from components import artifacts
from components.component import component


@component
def train_policy(
    config: dict,
    episodes: Input[artifacts.Shards],
    world_model: Input[artifacts.WorldModel],
    initial: Input[artifacts.Policy],
    policy: Output[artifacts.Policy],
    start_from: str = "",
):
    """Train a policy through the world model's dreams, which begin at the frames of the shards.

    It begins from the weights in `initial` if there are any, and goes on from the checkpoint of the run `start_from` if
    there is one that fits.
    """
    from components.distributed import on_all_gpus
    from components.learn_policy import learn_policy
    from components.storage import verified
    from components.training import first_weights

    teacher = str(verified(world_model.path))
    shards = [str(verified(shard.path)) for shard in episodes]
    first = first_weights(initial.path)
    on_all_gpus(learn_policy, config, shards, teacher, first, policy.path, policy.uri, start_from)
