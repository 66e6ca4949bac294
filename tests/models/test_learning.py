"""Both learners really learn, in seconds and in a small world; and the same classes learn a world of another kind.

python -m pytest tests/models/test_learning.py
"""

import json

import numpy as np

from models.config import PolicyConfig, PolicyTraining, WorldModelConfig, WorldModelTraining
from models.dataset import Dataset
from models.dream_figures import dream_figures
from models.goal_figures import goal_reaching
from models.train_policy import train_policy
from models.train_world_model import horizon_at, train_world_model
from models.training import METRICS
from sim_core.world import World


def test_a_trained_model_dreams_better_than_copying_the_last_frame(learned, world):
    dream = dream_figures(learned.model, world, "validation", 200, context=2, horizon=5)
    assert np.all(np.array(dream["centroid_error_px"]["mean"]) < 0.5 * np.array(dream["copy_last_px"]))
    assert dream["iou"][0] > 0.6


def test_a_trained_policy_brings_the_block_to_its_target(learned, world):
    controllers = goal_reaching(learned.model, learned.policy, world, "validation", 100, 20)["controllers"]
    assert controllers["policy"]["final_px_mean"] < controllers["zero_force"]["final_px_mean"] / 3
    assert controllers["policy"]["final_px_mean"] < controllers["random_force"]["final_px_mean"] / 3


def test_a_world_of_another_size_block_and_frames_trains_with_the_same_classes(tmp_path, write_episodes):
    other = World(size=20, block=5, frames=3)
    dataset = Dataset([write_episodes(tmp_path / "shard", other, range(64), 6)])
    config = WorldModelConfig(size=20, frames=3, latent=8, hidden=16, mlp=16)
    training = WorldModelTraining(
        autoencoder_steps=150,
        autoencoder_batch=16,
        dynamics_steps=100,
        dynamics_batch=16,
        decoder_steps=60,
        horizons=(2, 2, 2),
    )
    model = train_world_model(config, training, dataset, tmp_path / "world_model")
    train_policy(PolicyConfig(16), PolicyTraining(steps=120, batch=16, horizon=4), model, dataset, tmp_path / "policy")

    losses: dict[str, list[float]] = {}
    for learner in ("world_model", "policy"):
        for row in map(json.loads, (tmp_path / learner / METRICS).read_text().splitlines()):
            losses.setdefault(row["phase"], []).append(row["loss"])
    assert set(losses) == {"autoencoder", "dynamics", "decoder", "policy"}
    for loss in losses.values():
        assert np.mean(loss[-10:]) < 0.95 * np.mean(loss[:10])


def test_dreams_grow_longer_as_the_training_goes_on():
    assert [horizon_at(progress, (3, 6, 12)) for progress in (0, 0.09, 0.1, 0.5, 0.6, 1)] == [3, 3, 6, 6, 12, 12]
