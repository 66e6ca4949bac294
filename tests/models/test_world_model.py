"""The world model: what its memory holds, what a dream may depend on, and where its latents come from.

python -m pytest tests/models/test_world_model.py
"""

from dataclasses import replace

import pytest
import torch

from benchmarks.training import encode_by_maps
from models.config import WorldModelConfig, WorldModelTraining
from models.dataset import Dataset
from models.train_world_model import autoencoder_phase, dynamics_phase, encode_dataset, level_latents
from models.world_model import WorldModel
from sim_core.episodes import random_episodes
from sim_core.world import World


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    return WorldModel(tiny)


@pytest.fixture
def seen():
    """Latents and forces of 6 timesteps."""
    torch.manual_seed(1)
    return torch.randn(4, 6, 8), torch.rand(4, 6, 2) * 2 - 1


def same(a, b):
    return all(map(torch.equal, a, b))


def test_the_state_depends_on_the_last_observations_of_its_memory_and_on_no_older_ones(model, seen):
    latents, forces = seen
    state = model.filter(latents, forces)
    assert same(state, model.filter(latents[:, -model.config.memory :], forces[:, -model.config.memory :]))
    older, remembered = latents.clone(), latents.clone()
    older[:, 3] += 1
    remembered[:, 4] += 1
    assert same(state, model.filter(older, forces))
    assert not same(state, model.filter(remembered, forces))


def test_fewer_observations_than_the_memory_holds_are_enough(model, seen):
    latents, forces = seen
    states = [model.filter(latents[:, :n], forces[:, :n]).path for n in (0, 1, 2)]
    assert all(state.isfinite().all() for state in states)
    assert not torch.equal(states[0], states[1])
    assert not torch.equal(states[1], states[2])


def test_a_dream_depends_on_no_force_or_observation_that_comes_later(model, seen):
    latents, forces = seen
    dream, _ = model.dream(model.filter(latents[:, :2], forces[:, :2]), forces[:, 2:])
    later = forces.clone()
    later[:, 4:] *= -1
    other, _ = model.dream(model.filter(latents[:, :2], later[:, :2]), later[:, 2:])
    assert torch.equal(dream[:, :2], other[:, :2])
    assert (dream[:, 2:] != other[:, 2:]).any(-1).all()


def test_a_dream_in_two_parts_is_the_dream_in_one(model, seen):
    latents, forces = seen
    state = model.filter(latents[:, :2], forces[:, :2])
    whole, _ = model.dream(state, forces[:, 2:])
    first, between = model.dream(state, forces[:, 2:3])
    second, _ = model.dream(between, forces[:, 3:])
    assert torch.equal(torch.cat([first, second], 1), whole)


def test_episodes_do_not_see_each_other(model, seen):
    latents, forces = seen
    together, _ = model.dream(model.filter(latents, forces), forces)
    alone, _ = model.dream(model.filter(latents[1:2], forces[1:2]), forces[1:2])
    torch.testing.assert_close(together[1:2], alone)


@pytest.mark.parametrize(("size", "frames"), [(32, 4), (20, 3), (7, 1)])
def test_frames_of_any_size_and_number_are_encoded_and_decoded(size, frames):
    model = WorldModel(WorldModelConfig(size=size, frames=frames, memory=1))
    observation = torch.rand(5, frames, size, size)
    assert model.decode(model.encode(observation)).shape == observation.shape


def test_latents_are_linear_in_where_the_block_is_whatever_the_encoder_has_learned():
    torch.manual_seed(0)
    world, model = World(), WorldModel(WorldModelConfig())
    episodes = random_episodes("training", range(40), 10, world)
    frames = torch.from_numpy(episodes.observations(world)).flatten(0, 1)
    positions = torch.from_numpy(episodes.positions.reshape(len(frames), -1))
    explained = torch.cat([positions, torch.ones(len(frames), 1)], 1)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.normal_()
    latents = model.encode(frames).double()
    residual = latents - explained @ torch.linalg.lstsq(explained, latents).solution
    assert residual.abs().max() < 1e-5 * latents.std()


def test_the_encoder_reads_the_expected_coordinates_of_its_maps_though_it_never_makes_them(model):
    weight, size = model.encoder.convolution.weight, model.config.size
    frames = torch.rand(5, model.config.frames, size, size).where(torch.rand(5, 1, size, size) > 0.9, 0)
    frames[0] = 0
    expected = encode_by_maps(model.encoder, frames)
    torch.testing.assert_close(model.encoder(frames), expected)
    gradients = (
        torch.autograd.grad(latents.square().sum(), weight)[0] for latents in (model.encoder(frames), expected)
    )
    torch.testing.assert_close(*gradients)


def test_an_untrained_decoder_draws_an_almost_empty_frame(model):
    frames = torch.sigmoid(model.decode(torch.zeros(1, 8)))
    assert frames.sum((-1, -2)).max() < 1


def test_every_weight_is_trained_by_one_of_the_two_phases(model, dataset):
    """The original never trained its initial state, for it was not among its parameters."""
    training = WorldModelTraining(autoencoder_batch=8, dynamics_batch=8, horizons=(2, 2, 2))
    with torch.no_grad():
        for out in (model.core.observing, model.core.imagining):
            out.mlp[-1].weight.normal_(std=0.1)  # starts at zero, which stops the gradient of what lies before it
    for phase in (autoencoder_phase(model, training, dataset), dynamics_phase(model, training, dataset)):
        phase.begin()
        for step in range(4):
            phase.loss(phase.draw(step))[0].backward()
    unmoved = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert unmoved == ["encoder.linear.weight"]  # a rotation, drawn once


def test_the_dynamics_are_trained_on_frozen_latents(model, dataset):
    training = WorldModelTraining(dynamics_batch=8, horizons=(2, 2, 2))
    phase = dynamics_phase(model, training, dataset)
    phase.begin()
    phase.loss(phase.draw(0))[0].backward()
    for part in (model.encoder, model.decoder):
        assert all(weight.grad is None for weight in part.parameters())


def test_half_of_the_dreams_of_whole_pixels_begin_where_an_episode_does(model, tmp_path, world, write_episodes):
    training, whole_pixels = WorldModelTraining(dynamics_batch=8, horizons=(2, 2, 2)), replace(world, raster="pixel")
    folders = [write_episodes(tmp_path / each.raster, each, range(16), 40) for each in (world, whole_pixels)]
    coverage, pixel = (
        torch.cat([dynamics_phase(model, training, Dataset([folder])).draw(step).rows[1] for step in range(32)])
        for folder in folders
    )
    assert 0.5 <= (pixel == 0).float().mean() < 0.6
    assert (coverage == 0).float().mean() < 0.1
    assert (pixel > 20).any()


def test_latents_are_levelled_and_the_decoder_knows(model, dataset):
    frames = next(iter(dataset.chunks())).flatten(0, 1)
    before, shown = model.encoder(frames), model.decode(model.encode(frames))
    spread = torch.linalg.svdvals((before - before.mean(0)).double())
    change = level_latents(model, before[None])
    after = model.encoder(frames)
    torch.testing.assert_close(after, before @ change.T)
    torch.testing.assert_close(model.decode(model.encode(frames)), shown, atol=1e-4, rtol=1e-4)
    seen = spread > 1e-2 * spread[0]
    levelled = torch.linalg.svdvals((after - after.mean(0)).double())
    torch.testing.assert_close(
        (levelled / levelled[0])[seen], ((spread / spread[0]) ** 0.75)[seen], atol=1e-3, rtol=1e-3
    )
    assert seen.sum() > 2


def test_a_single_latent_is_enough_to_train(tiny, dataset):
    torch.manual_seed(0)
    model = WorldModel(replace(tiny, latent=1))
    phase = dynamics_phase(model, WorldModelTraining(dynamics_batch=8, horizons=(2, 2, 2)), dataset)
    phase.begin()
    assert phase.loss(phase.draw(0))[0].isfinite()


def test_latents_of_the_training_data_are_standardised(model, dataset):
    dynamics_phase(model, WorldModelTraining(horizons=(2, 2, 2)), dataset).begin()
    latents = encode_dataset(model, dataset)
    assert latents.shape == (dataset.episodes, dataset.timesteps, 8)
    torch.testing.assert_close(latents.mean((0, 1)), torch.zeros(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std((0, 1)), torch.ones(8), atol=1e-3, rtol=0)


def test_shapes_are_checked_while_the_tests_run(model):
    with pytest.raises(TypeError, match="observation"):
        model.encode(torch.zeros(2, 16, 16))


@pytest.mark.parametrize("field", ["size", "frames", "latent", "memory"])
@pytest.mark.parametrize("value", [0, -3, 2.5, "8", None, True])
def test_an_architecture_that_cannot_be_is_refused(tiny, field, value):
    with pytest.raises(ValueError, match=rf"^{field} must be a whole number of at least 1, got {value!r}$"):
        replace(tiny, **{field: value})
