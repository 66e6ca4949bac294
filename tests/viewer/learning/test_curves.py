"""Losses against displacement: python -m pytest tests/viewer/learning/test_curves.py"""

import numpy as np
import pytest

from sim_core.world import World
from viewer.learning.curves import LOSSES, apart, curve

ENTROPY, CENTROIDS, TRANSPORT = LOSSES


@pytest.fixture(scope="module")
def curves():
    return {name: curve(loss, World()) for name, loss in LOSSES.items()}


def test_cross_entropy_pulls_nowhere_once_the_blocks_are_apart(curves):
    assert curves[ENTROPY].pull(2) > 0.9
    for displacement in (5, 8, 19):
        assert abs(curves[ENTROPY].pull(displacement)) < 1e-4


def test_the_transport_distance_pulls_as_hard_from_anywhere_towards_the_target(curves):
    for displacement in (2, 5, 8, 19):
        assert curves[TRANSPORT].pull(displacement) > 0.98
    assert curves[TRANSPORT].pull(-3) < -0.98
    assert curves[TRANSPORT].least_at == pytest.approx(0, abs=1e-9)


def test_plain_centroids_leave_the_block_off_its_target(curves):
    assert curves[CENTROIDS].pull(19) > 0.98
    assert abs(curves[CENTROIDS].least_at) > 0.1


def test_most_random_pairs_of_blocks_do_not_overlap():
    places = np.random.default_rng(0).uniform(2, 30, (2, 100_000, 2))
    overlapping = (np.abs(places[0] - places[1]) < 4).all(axis=1)
    assert apart(World()) == pytest.approx(1 - overlapping.mean(), abs=0.005)
