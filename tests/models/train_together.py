"""Trainings as ranks of one, for test_distributed.py: torchrun ... tests/models/train_together.py TRAININGS"""

import json
import shutil
import sys
from pathlib import Path

from short_trainings import beyond

from models.checkpoint import load_training, load_world_model
from models.config import PolicyConfig, PolicyTraining, WorldModelConfig, WorldModelTraining
from models.dataset import Dataset
from models.ranks import joined, rank
from models.train_policy import train_policy
from models.train_world_model import train_world_model
from models.training import CHECKPOINT, TrainingError


def train(job: dict) -> None:
    """Train as the job says, with a copy of each checkpoint beside it, called "<phase> <step>"."""
    folder, dataset = Path(job["folder"]), Dataset([Path(job["shard"])])

    def keep():
        _, facts = load_training(folder / CHECKPOINT)
        shutil.copy(folder / CHECKPOINT, folder / f"{facts['phase']} {facts['step']}")

    if job["learner"] == "policy":
        training, teacher = PolicyTraining(**job["training"]), load_world_model(Path(job["teacher"]))
        train_policy(PolicyConfig(8), training, teacher, dataset, folder, save_every=0, on_save=keep)
    else:
        config, lengths = WorldModelConfig(**job["architecture"]), WorldModelTraining(**job["training"])
        endless = beyond(dataset) if job["learner"].startswith("endless") else None
        train_world_model(config, lengths, dataset, folder, endless=endless, save_every=0, on_save=keep)


if __name__ == "__main__":
    with joined():
        for job in json.loads(Path(sys.argv[1]).read_text()):
            try:
                train(job)
            except (TrainingError, ValueError) as error:
                Path(job["folder"]).mkdir(exist_ok=True)
                Path(job["folder"], f"error of {rank()}").write_text(f"{type(error).__name__}: {error}")
