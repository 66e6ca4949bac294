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
    from functools import partial

    from components import storage
    from components.configuration import from_dict
    from components.training import first_weights, identity_of, resumable
    from models.checkpoint import load_world_model
    from models.config import PolicyConfig, PolicyTraining
    from models.dataset import Dataset
    from models.policy_checkpoint import load_policy, save_policy
    from models.process import prepare
    from models.train_policy import train_policy as train
    from models.training import METRICS

    prepare()
    architecture = from_dict(PolicyConfig, config["policy"])
    training = from_dict(PolicyTraining, config["training"])
    teacher = storage.verified(world_model.path)
    model = load_world_model(teacher)
    shards = [storage.verified(shard.path) for shard in episodes]
    first = first_weights(initial.path)
    start = load_policy(first, model.config) if first else None
    inputs = {"episodes": shards, "world_model": [teacher], "initial": [first] if first else []}
    identity = identity_of("train_policy", config, **inputs)
    run = partial(train, architecture, training, model, Dataset(shards), start=start)
    learned, rows = resumable(run, policy.uri, identity, start_from)
    with storage.writing(policy.path) as folder:
        save_policy(folder, learned, model.config)
        (folder / METRICS).write_text(rows)
