"""The training of the policy."""

from kfp.dsl import Input, Output

from components import artifacts
from components.component import component


@component
def train_policy(
    config: dict,
    episodes: Input[artifacts.Shards],
    world_model: Input[artifacts.WorldModel],
    policy: Output[artifacts.Policy],
):
    """Train a policy through the world model's dreams, which begin at the frames of the shards."""
    import shutil

    from components import storage
    from components.configuration import from_dict
    from components.progress import progress
    from models.checkpoint import load_world_model, save_policy
    from models.config import PolicyConfig, PolicyTraining
    from models.dataset import Dataset
    from models.process import prepare
    from models.train_policy import train_policy as train
    from models.training import METRICS

    prepare()
    architecture = from_dict(PolicyConfig, config["policy"])
    training = from_dict(PolicyTraining, config["training"])
    model = load_world_model(storage.verified(world_model.path))
    dataset = Dataset([storage.verified(shard.path) for shard in episodes])
    checkpoints = storage.checkpoint_folder(policy.path)
    with progress() as show:

        def on_step(phase, step, row):
            show(phase.name, step, phase.steps, f"loss {row['loss']:.3g}")

        learned = train(architecture, training, model, dataset, checkpoints, on_step=on_step)
    with storage.writing(policy.path) as folder:
        save_policy(folder, learned, model.config)
        shutil.copy(checkpoints / METRICS, folder)
