"""The same training on a GPU: it learns what the processor learns, goes on from either's checkpoint, and sees NaN.

Needs a GPU: python -m pytest tests/models/test_gpu.py
"""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from short_trainings import beyond
from torch import nn

from models.config import PolicyConfig, PolicyTraining, WorldModelTraining
from models.phase import Batch, Phase
from models.train_policy import train_policy
from models.train_world_model import train_world_model
from models.training import METRICS, TrainingError, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

TRAINING = WorldModelTraining(
    seed=3,
    autoencoder_steps=20,
    autoencoder_batch=32,
    dynamics_steps=40,
    dynamics_batch=32,
    decoder_steps=20,
    horizons=(2, 3, 4),
)


class Killed(Exception):
    pass


@pytest.fixture
def learners(dataset, tiny, learned):
    policy_training = PolicyTraining(seed=3, steps=40, batch=32, horizon=3, lead=2)
    return {
        "world model": lambda folder, **options: train_world_model(
            replace(tiny, refinements=2), TRAINING, dataset, folder, **options
        ),
        "endless world model": lambda folder, **options: train_world_model(
            replace(tiny, depth=1, refinements=2),
            TRAINING,
            dataset,
            folder,
            endless=beyond(dataset),
            **options,
        ),
        "policy": lambda folder, **options: train_policy(
            PolicyConfig(8), policy_training, learned.model, dataset, folder, **options
        ),
    }


@pytest.fixture
def on_processor(monkeypatch):
    """A switch: from here on trainings run on the processor."""

    def switch():
        for module in ("train_world_model", "train_policy"):
            monkeypatch.setattr(f"models.{module}.device_here", lambda: torch.device("cpu"))

    return switch


def losses(folder):
    return [json.loads(line)["loss"] for line in (folder / METRICS).read_text().splitlines()]


@pytest.mark.parametrize("learner", ["world model", "endless world model", "policy"])
def test_a_gpu_learns_what_the_processor_learns(learners, learner, on_processor, tmp_path):
    there = learners[learner](tmp_path / "gpu")
    on_processor()
    here = learners[learner](tmp_path / "processor")
    np.testing.assert_allclose(losses(tmp_path / "gpu"), losses(tmp_path / "processor"), rtol=0.02)
    for name, weights in there.state_dict().items():
        assert weights.device.type == "cpu", name
        # Muon's products are of bfloat16: what is of no consequence may part.
        assert (weights - here.state_dict()[name]).norm() <= 0.02 * here.state_dict()[name].norm() + 1e-3, name


@pytest.mark.parametrize("learner", ["world model", "endless world model", "policy"])
def test_a_training_begun_on_a_gpu_goes_on_there_and_on_a_processor(learners, learner, on_processor, tmp_path):
    learners[learner](tmp_path / "whole")
    for name in ("there", "here"):

        def kill(phase, step, row, film):
            if step == 13:
                raise Killed

        with pytest.raises(Killed):
            learners[learner](tmp_path / name, save_every=0, on_step=kill)
        if name == "here":
            on_processor()
        learners[learner](tmp_path / name)
        np.testing.assert_allclose(losses(tmp_path / name), losses(tmp_path / "whole"), rtol=0.02)


def test_a_loss_that_is_not_finite_stops_the_training_there_too(tmp_path):
    module = nn.Linear(3, 3).cuda()
    added = torch.tensor([0.0] * 6 + [math.nan] * 4, device="cuda")

    def draw(step):
        return Batch((), (torch.tensor([step]),))

    def loss(batch):
        return module(torch.ones(1, 3, device="cuda")).square().sum() + added[batch.rows[0]].sum(), {}

    phase = Phase("only", 10, 1, 0.01, 0.9, lambda: module, draw, loss)
    with pytest.raises(TrainingError, match=r"^the loss is not finite at step 7 of the phase only or before; "):
        train(module, [phase], tmp_path, {})
