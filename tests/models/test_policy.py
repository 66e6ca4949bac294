"""The policy: its forces stay in range, and it learns through the dream without touching the model that dreams.

python -m pytest tests/models/test_policy.py
"""

from dataclasses import replace

import pytest
import torch

from models.config import PolicyConfig, PolicyTraining
from models.dataset import Dataset
from models.eye import centre_of_mass
from models.inner_eye import InnerEye
from models.losses import target_distance
from models.policy import Policy, encode_target
from models.train_policy import policy_phase, shifted, train_policy
from models.world_model import WorldModel
from sim_core.world import World


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    return WorldModel(tiny).eval().requires_grad_(False)


@pytest.fixture
def policy(tiny):
    torch.manual_seed(1)
    return Policy(PolicyConfig(8), tiny)


def test_forces_stay_within_range_whatever_the_inputs(model, policy):
    state = model.core.initial(64)
    force = policy(state, 1000 * torch.randn(64, 8), 2 * torch.rand(64, 2) - 1)
    assert force.abs().max() <= 1
    assert force.abs().max() > 0.99


def test_the_force_depends_on_state_target_and_previous_force(model, policy):
    torch.manual_seed(2)
    state, target, previous = model.core.initial(3), torch.randn(3, 8), torch.rand(3, 2)
    force = policy(state, target, previous)
    assert not torch.equal(force, policy(state._replace(path=state.path + 1), target, previous))
    assert not torch.equal(force, policy(state, target + 1, previous))
    assert not torch.equal(force, policy(state, target, previous - 1))


def test_a_target_is_encoded_as_an_observation_in_which_nothing_moves(model, world):
    image = torch.rand(3, world.size, world.size)
    still = image[:, None].repeat(1, world.frames, 1, 1)
    torch.testing.assert_close(encode_target(model, image), model.encode(still))


def test_a_gradient_flows_from_the_distance_through_the_dream_to_every_weight_of_the_policy(learned, policy, dataset):
    phase = policy_phase(policy, PolicyTraining(batch=16, horizon=4), learned.model, dataset)
    assert phase.begin() is policy
    loss, figures = phase.loss(phase.draw(0))
    loss.backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in policy.parameters())
    assert 0 < figures["final_distance"] < 16
    assert all(weight.grad is None for weight in learned.model.parameters())


def test_no_frame_is_decoded_to_score_a_dream(learned, policy, dataset, monkeypatch):
    phase = policy_phase(policy, PolicyTraining(batch=4, horizon=2), learned.model, dataset)
    phase.begin()
    monkeypatch.setattr(learned.model, "decode", None)
    assert phase.loss(phase.draw(0))[0] > 0


def test_what_a_policy_brings_about_in_a_dream_of_whole_pixels_is_filtered_in_black_and_white(
    model, policy, write_episodes, tmp_path, monkeypatch
):
    whole_pixels = World(size=16, frames=2, raster="pixel")
    dataset = Dataset([write_episodes(tmp_path / "pixels", whole_pixels, range(32), 9)])
    phase = policy_phase(policy, PolicyTraining(batch=16, horizon=2), model, dataset)
    phase.begin()
    batch = next(drawn for drawn in map(phase.draw, range(100)) if drawn.plan[1] == 3)  # timesteps of its lead
    encoded, filtered = [], []

    def encode(frames):
        encoded.append(frames)
        return WorldModel.encode(model, frames)

    def filter_(latents, forces):
        filtered.append(latents)
        return WorldModel.filter(model, latents, forces)

    monkeypatch.setattr(model, "encode", encode)
    monkeypatch.setattr(model, "filter", filter_)
    phase.loss(batch)
    drawn = encoded[-3:]
    assert all(torch.equal(frames, frames.round()) and 0 <= frames.min() <= frames.max() <= 1 for frames in drawn)
    lead = filtered[-1][:, -3:].unbind(1)
    assert all(
        torch.equal(latent, WorldModel.encode(model, frames)) for latent, frames in zip(lead, drawn, strict=True)
    )


def test_the_distance_at_the_end_of_a_dream_has_a_gradient_to_the_first_force(learned, dataset):
    model, forces = learned.model, dataset.forces[:32, :6].clone().requires_grad_()
    observed = dataset.observations(torch.arange(32), torch.zeros(32, dtype=torch.int64))
    eye, latents = InnerEye(model, observed), model.encode(observed)
    imagined, _ = model.dream(model.filter(latents[:, None], torch.zeros(32, 1, 2)), forces)
    target_distance(eye(imagined[:, -1]), eye(latents.flip(0))).sum().backward()
    assert (forces.grad[:, 0].norm(dim=-1) > 1e-3).double().mean() > 0.9


def test_training_the_policy_leaves_the_world_model_as_it_was(model, dataset, tmp_path):
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    train_policy(PolicyConfig(8), PolicyTraining(steps=5, batch=8, horizon=3), model, dataset, tmp_path)
    assert all(torch.equal(weights, before[name]) for name, weights in model.state_dict().items())
    assert all(weights.grad is None for weights in model.parameters())


def test_a_dataset_of_another_world_is_refused(tiny, dataset, tmp_path):
    with pytest.raises(ValueError, match="size 16, the world model is for size 20"):
        train_policy(PolicyConfig(8), PolicyTraining(steps=5), WorldModel(replace(tiny, size=20)), dataset, tmp_path)


def test_a_shifted_target_is_the_same_image_elsewhere_cut_off_where_it_leaves_the_frame():
    image = torch.arange(16.0).reshape(1, 4, 4)
    moved = shifted(image.expand(3, -1, -1), torch.tensor([[0, 0], [1, -2], [-3, 0]]), 3)
    assert torch.equal(moved[0], image[0])
    assert moved[1].tolist() == [[0, 0, 0, 0], [2, 3, 0, 0], [6, 7, 0, 0], [10, 11, 0, 0]]
    assert moved[2].tolist() == [[12, 13, 14, 15], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_the_distance_that_is_told_is_that_at_the_end_of_a_dream_which_is_nearer_than_the_way_there(learned, dataset):
    phase = policy_phase(learned.policy, PolicyTraining(batch=256, horizon=6, lead=0), learned.model, dataset)
    phase.begin()
    loss, figures = phase.loss(phase.draw(0))
    assert figures["final_distance"] < 0.9 * loss


def test_targets_are_the_last_frames_of_observations_moved_by_up_to_two_pixels(learned, policy, dataset, monkeypatch):
    phase = policy_phase(policy, PolicyTraining(batch=64, horizon=1, lead=0), learned.model, dataset)
    phase.begin()
    aimed = []

    def distance(place, target):
        aimed.append(target[:, 0])
        return target_distance(place, target)

    monkeypatch.setattr("models.train_policy.target_distance", distance)
    batch = phase.draw(0)
    phase.loss(batch)
    episodes, timesteps, shifts = batch.rows[:3]
    assert set(shifts.flatten().tolist()) == {-2, -1, 0, 1, 2}
    targets = shifted(dataset.observations(episodes, timesteps)[:, -1], shifts, 2)
    assert (aimed[0] - centre_of_mass(targets)).norm(dim=-1).max() < 0.1
