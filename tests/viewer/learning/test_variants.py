"""The variants of the ablation: python -m pytest tests/viewer/learning/test_variants.py"""

import numpy as np
import pytest
import torch

from models.config import PolicyTraining, WorldModelConfig, WorldModelTraining
from models.world_model import WorldModel
from sim_core.episodes import random_episodes
from sim_core.raster import render
from sim_core.world import World
from viewer.learning.curves import centroid_distance
from viewer.learning.parts import pixel_entropy, replaced, transport_distance
from viewer.learning.trainings import all_jobs
from viewer.learning.variants import BASELINE, BY_NAME, POLICY_BASELINE, SEEDS, TINY, VARIANTS, WORLD_MODEL


def test_every_variant_has_a_name_of_its_own_and_differs_from_the_baseline():
    assert len(BY_NAME) == len(VARIANTS)
    for variant in VARIANTS:
        differences = (variant.training, variant.network, variant.scaled, variant.parts)
        assert any(differences) == (variant not in (BASELINE, POLICY_BASELINE)), variant.name


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_what_a_variant_sets_and_replaces_is_there(variant):
    training = WorldModelTraining if variant.learner == WORLD_MODEL else PolicyTraining
    training(**variant.training)
    assert all(hasattr(TINY, name) for name in variant.scaled)
    with replaced(variant.parts):
        model = WorldModel(WorldModelConfig(**variant.network))
        latents = model.encode(torch.rand(2, 4, 32, 32))
        imagined, _ = model.dream(model.filter(latents[:, None], torch.zeros(2, 1, 2)), torch.zeros(2, 3, 2))
    assert imagined.shape == (2, 3, 32)


def test_afterwards_all_is_as_it_was():
    before = WorldModel.dream
    with replaced(BY_NAME["latents-back"].parts):
        assert WorldModel.dream is not before
    assert WorldModel.dream is before


def test_a_part_that_there_is_no_more_is_told():
    with pytest.raises(AttributeError, match="no_such"), replaced({"models.losses.no_such": None}):
        pass


def test_data_variants_change_what_is_learned_and_not_what_judges():
    world = World()
    judged = random_episodes("validation", range(64), 8, world)
    with replaced(BY_NAME["as-judged"].parts):
        learned = random_episodes("training", range(512), 8, world)
        assert np.array_equal(random_episodes("validation", range(64), 8, world).positions, judged.positions)
    assert np.abs(learned.velocities[:, 0, 0]).max() < 1.3
    assert (np.diff(learned.forces, axis=1) != 0).all(), "each timestep another force"
    assert np.abs(random_episodes("training", range(512), 8, world).velocities[:, 0, 0]).max() > 1.9


def test_both_baselines_come_first_and_nothing_is_trained_twice():
    jobs = all_jobs()
    assert [job.variant for job in jobs[: 2 * len(SEEDS)]] == ["baseline"] * len(SEEDS) + ["policy"] * len(SEEDS)
    assert len(set(jobs)) == len(jobs) == len(VARIANTS) * len(SEEDS)


@pytest.mark.parametrize("loss", [centroid_distance, transport_distance])
def test_distances_of_frames_are_those_of_two_blocks(loss):
    one, other = (torch.from_numpy(render(np.array(place), World())) for place in ((8.5, 9.0), (11.5, 13.0)))
    assert loss(one, other).item() == pytest.approx(5, abs=0.02)


def test_a_ring_and_a_block_in_its_middle_are_the_same_to_centroids_and_not_to_transport():
    block = torch.from_numpy(render(np.array((16.0, 16.0)), World()))
    ring = torch.zeros(32, 32)
    ring[11:21, 11:21] = 1
    ring[12:20, 12:20] = 0
    assert centroid_distance(block, ring).item() == pytest.approx(0.2, abs=1e-3)
    assert transport_distance(block, ring).item() > 1


def test_the_cross_entropy_is_least_where_frames_are_alike():
    block = torch.from_numpy(render(np.array((16.0, 16.0)), World()))
    assert pixel_entropy(block, block).item() == 0
    assert pixel_entropy(block[None], block.flip(0).roll(3, 0)[None]).item() > 100
