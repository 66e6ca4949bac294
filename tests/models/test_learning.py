"""Both learners really learn, in seconds and in a small world; and the same classes learn a world of another kind.

python -m pytest tests/models/test_learning.py
"""

import copy
import json

import numpy as np
import torch

from models.config import PolicyConfig, PolicyTraining, WorldModelConfig, WorldModelTraining
from models.dataset import Dataset
from models.dream_figures import dream_figures
from models.goal_figures import goal_reaching
from models.train_policy import train_policy
from models.train_world_model import decoder_phase, horizon_at, train_world_model
from models.training import METRICS, train
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
        dynamics_steps=200,
        dynamics_batch=16,
        dynamics_rate=0.02,
        decoder_steps=60,
        horizons=(2, 2, 2),
    )
    model = train_world_model(config, training, dataset, tmp_path / "world_model")
    policy_training = PolicyTraining(steps=240, batch=16, rate=0.02, horizon=4)
    train_policy(PolicyConfig(16), policy_training, model, dataset, tmp_path / "policy")

    losses: dict[str, list[float]] = {}
    for learner in ("world_model", "policy"):
        for row in map(json.loads, (tmp_path / learner / METRICS).read_text().splitlines()):
            losses.setdefault(row["phase"], []).append(row["loss"])
    assert set(losses) == {"autoencoder", "dynamics", "decoder", "policy"}
    for phase in ("autoencoder", "dynamics", "policy"):
        assert np.mean(losses[phase][-10:]) < 0.95 * np.mean(losses[phase][:10])


def test_a_decoder_tuned_on_dreams_shows_them_nearer_to_what_came_true(learned, dataset, tmp_path):
    model = copy.deepcopy(learned.model).requires_grad_(True)
    training = WorldModelTraining(decoder_steps=300, horizons=(2, 4, 6), average=0.98)
    phase = decoder_phase(model, training, dataset)

    def error():
        with torch.no_grad():
            return np.mean([phase.loss(phase.draw(step))[0].item() for step in range(1000, 1010)])

    phase.begin()
    before = error()
    train(model, [phase], tmp_path, {})
    assert error() < before
    assert torch.equal(model.core.read.weight, learned.model.core.read.weight)


def test_dreams_grow_longer_as_the_training_goes_on():
    assert [horizon_at(progress, (3, 6, 12)) for progress in (0, 0.09, 0.1, 0.5, 0.6, 1)] == [3, 3, 6, 6, 12, 12]
