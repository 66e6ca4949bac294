"""Precision: the noise that a simulator was started with is found again from its errors.

python -m pytest tests/models/test_precision.py
"""

import numpy as np
import pytest
import torch

from models.eye import centroid, seen_centre
from models.precision import exact_errors, noisy_errors, precision
from sim_core.episodes import Episodes, random_episodes
from sim_core.raster import render
from sim_core.world import State, World, simulate

WORLD, CONTEXT = World(), 2


@pytest.fixture(scope="module")
def episodes():
    return random_episodes("evaluation", range(300), CONTEXT + 14, WORLD)


@pytest.mark.parametrize("sigma", [0.003, 0.02, 0.15])
def test_the_exact_simulator_started_with_noise_has_that_noise_as_its_precision_at_every_horizon(episodes, sigma):
    (error,) = noisy_errors(np.array([sigma]), episodes, CONTEXT, WORLD, seed=1)
    found = precision(error, episodes, CONTEXT, WORLD)
    assert len(found) == 15
    np.testing.assert_allclose(found[:3], sigma, rtol=0.1 if sigma > 0.01 else 0.25)  # beside .05 px of the eye's own
    np.testing.assert_allclose(found, sigma, rtol=0.4)  # few episodes, and chaos


def test_noisy_errors_are_those_of_the_fact_sheet_and_the_eye_s():
    """4000 episodes there: .02 px and .01 px/frame are off by .04, .09, .31 and 1.08 px at horizons 1, 2, 5 and 10."""
    episodes = random_episodes("evaluation", range(1000), 10, WORLD)
    (error,) = noisy_errors(np.array([0.02]), episodes, 1, WORLD)
    np.testing.assert_allclose(error[[0, 1, 4, 9]], [np.hypot(0.04, 0.048), 0.09, 0.31, 1.08], rtol=0.2)


@pytest.mark.parametrize("world", [WORLD, World(size=5)], ids=["ours", "the smallest"])
def test_a_block_is_seen_where_the_centroid_of_its_frame_is(world):
    position = np.random.default_rng(0).uniform(world.low, world.high, (500, 2))
    position[:2] = world.low, world.high
    seen = centroid(torch.from_numpy(render(position, world))).numpy()
    np.testing.assert_allclose(seen_centre(position, world), seen, atol=0.01)


def test_what_no_noise_of_the_ladder_explains_has_no_precision(episodes):
    error = np.full(15, 1e-6)
    error[1] = 100
    assert np.isnan(precision(error, episodes, CONTEXT, WORLD)).all()


def test_a_start_that_noise_would_put_beyond_a_wall_is_put_onto_it():
    force, corner = np.zeros((1, 3, 2), np.float32), np.array([[WORLD.low, WORLD.low]])
    episodes = Episodes(force, *simulate(State(corner, np.zeros((1, 2))), force, WORLD))
    noise = np.random.default_rng(0).standard_normal((2, 50, 1, 2))
    start = State(np.maximum(corner + 2 * noise[0], WORLD.low), 1 * noise[1])
    positions, _ = simulate(start, np.zeros((50, 1, 1, 2), np.float32), WORLD)
    expected = np.linalg.norm(seen_centre(positions, WORLD) - corner, axis=-1).mean(-1)
    np.testing.assert_allclose(exact_errors(2.0, episodes, CONTEXT, WORLD, 50), expected)
