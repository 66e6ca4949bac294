"""Episodes that follow on those of a dataset: the training set's next ones, other ones in each batch.

python -m pytest tests/models/test_endless.py
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from short_trainings import SHORT, beyond

from models.dataset import Dataset
from models.endless import Endless
from models.train_world_model import dynamics_phase, train_world_model
from models.world_model import WorldModel
from sim_core.world import World


@pytest.fixture
def endless(dataset):
    return beyond(dataset)


def test_what_follows_is_what_a_larger_dataset_would_hold(write_episodes, dataset, endless, tmp_path):
    more = Dataset([write_episodes(tmp_path / "more", dataset.world, range(384, 400), 9)])
    begins = np.array([0, 3, 5])
    frames, forces = endless.stretches(7, begins, 4)
    assert frames.shape == (3, 4, 2, 16, 16)
    for number, begin in enumerate(begins):
        stored = more.shards[0][7 + number, begin : begin + 4]
        np.testing.assert_array_equal(frames[number], stored)
        np.testing.assert_array_equal(forces[number], more.forces[7 + number, begin : begin + 4])


def test_a_share_is_as_the_originals_where_the_datasets_is(endless):
    begins = np.zeros(2000, int)
    _, usual = endless.stretches(0, begins, 2)
    _, forces = replace(endless, original_share=1.0).stretches(0, begins, 2)
    assert np.abs(usual).max() > 0.95
    assert np.abs(forces).max() <= 0.5


@pytest.mark.parametrize("refinements", [0, 2])
def test_the_dynamics_learn_the_same_from_an_episode_whether_it_is_stored_or_simulated(dataset, tiny, refinements):
    torch.manual_seed(0)
    model = WorldModel(replace(tiny, refinements=refinements))
    plans = set()
    for seed in range(4):
        training = replace(SHORT, seed=seed, dynamics_batch=384)
        stored = dynamics_phase(model, training, dataset)
        simulated = dynamics_phase(model, training, dataset, Endless(dataset.world, 0, 0.0, first=0))
        stored.begin()
        batch, same = stored.draw(0), simulated.draw(0)
        in_order = batch._replace(rows=(torch.arange(384), batch.rows[1]))
        assert same.plan == batch.plan
        assert simulated.loss(same)[0].item() == pytest.approx(stored.loss(in_order)[0].item(), rel=1e-5)
        plans.add(batch.plan)
    assert len(plans) > 1


def test_no_batch_has_an_episode_of_the_dataset_or_of_another_batch(dataset, tiny, endless):
    phase = dynamics_phase(WorldModel(tiny), SHORT, dataset, endless)
    drawn = [phase.draw(step).rows[0][:, 0] for step in range(40)]
    stored = [torch.tensor(shard).flatten(0, 1) for shard in dataset.shards]
    frames = torch.cat([*drawn, *stored]).flatten(1)
    assert len(frames.unique(dim=0)) == len(frames)


def test_a_batch_is_a_function_of_its_step(dataset, tiny, endless):
    phase = dynamics_phase(WorldModel(tiny), SHORT, dataset, endless)
    batch = phase.draw(3)
    phase.draw(7)
    assert all(map(torch.equal, batch.rows, phase.draw(3).rows))
    assert not torch.equal(batch.rows[0], phase.draw(4).rows[0])


def test_whole_pixels_begin_half_of_their_stretches_with_an_episode(dataset, tiny, endless, write_episodes, tmp_path):
    world = World(size=16, frames=2, raster="pixel")
    pixels = Dataset([write_episodes(tmp_path / "pixel", world, range(32), 9)])
    phase = dynamics_phase(WorldModel(tiny), SHORT, pixels, replace(endless, world=world, first=0))
    frames, _ = phase.draw(0).rows
    begins = [
        any(torch.equal(frame, torch.tensor(shard)) for shard in pixels.shards[0][:, 0]) for frame in frames[:, 0]
    ]
    assert begins[:4] == [True] * 4
    assert not all(begins[4:])


def test_what_follows_on_another_world_is_refused(dataset, tiny, endless, tmp_path):
    other = replace(endless, world=replace(dataset.world, drag=0.5))
    with pytest.raises(ValueError, match=r"^the dataset is of World\(.*\), what follows on it of World\(.*drag=0.5"):
        train_world_model(tiny, SHORT, dataset, tmp_path, endless=other)
    assert not list(tmp_path.iterdir())
