"""The training of the world model."""

from kfp.dsl import Input, Output

from components import artifacts
from components.component import component


@component
def train_world_model(config: dict, episodes: Input[artifacts.Shards], world_model: Output[artifacts.WorldModel]):
    """Train a world model on all shards."""
    import shutil

    from components import storage
    from components.configuration import from_dict
    from components.progress import progress
    from models.checkpoint import save_world_model
    from models.config import WorldModelConfig, WorldModelTraining
    from models.dataset import Dataset
    from models.process import prepare
    from models.train_world_model import train_world_model as train
    from models.training import METRICS

    prepare()
    architecture = from_dict(WorldModelConfig, config["world_model"])
    training = from_dict(WorldModelTraining, config["training"])
    dataset = Dataset([storage.verified(shard.path) for shard in episodes])
    checkpoints = storage.checkpoint_folder(world_model.path)
    with progress() as show:

        def on_step(phase, step, row):
            show(phase.name, step, phase.steps, f"loss {row['loss']:.3g}")

        model = train(architecture, training, dataset, checkpoints, on_step=on_step)
    with storage.writing(world_model.path) as folder:
        save_world_model(folder, model, dataset.world)
        shutil.copy(checkpoints / METRICS, folder)
