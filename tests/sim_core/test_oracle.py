"""The oracle: it settles on every target, as fast as the project's yardstick must be, and stays.

python -m pytest tests/sim_core/test_oracle.py
"""

import functools

import numpy as np
import pytest

from sim_core.drive import drive, settle_frames
from sim_core.episodes import random_goals
from sim_core.oracle import oracle
from sim_core.world import State, World

WORLD = World()
GOALS, TIMESTEPS = 1000, 50

both_sets = pytest.mark.parametrize("which", ["evaluation", "as_the_original"])


@functools.lru_cache
def distances(which):
    """Distances (px) of the frames that a chosen force moved: [goals, frames]."""
    start, target = random_goals(which, range(GOALS), WORLD)
    positions, _ = drive(start, oracle(target, WORLD), TIMESTEPS, WORLD)
    return np.linalg.norm(positions[:, 1:] - target[:, None, None], axis=-1).reshape(GOALS, -1)


@both_sets
def test_every_block_settles(which):
    assert settle_frames(distances(which)).max() < 30


@pytest.mark.parametrize(("which", "bound"), [("evaluation", 10.32), ("as_the_original", 10.12)])
def test_the_mean_time_to_settle_is_that_of_the_yardstick(which, bound):
    assert settle_frames(distances(which)).mean() < bound


@both_sets
def test_a_settled_block_comes_to_rest_on_its_target(which):
    last = distances(which)[:, -40:]
    assert last.mean() < 0.1
    assert last.max() < 0.5


def test_a_block_at_rest_on_its_target_stays_there():
    target = np.array([[2.0, 2.0], [30.0, 11.0], [16.0, 16.0]])
    positions, _ = drive(State(target, np.zeros((3, 2))), oracle(target, WORLD), 5, WORLD)
    np.testing.assert_allclose(positions, np.broadcast_to(target[:, None, None], positions.shape), atol=0.1)


def test_a_goal_alone_is_driven_as_in_the_batch():
    start, target = random_goals("evaluation", range(5), WORLD)
    together = drive(start, oracle(target, WORLD), 12, WORLD)[1]
    for goal in range(5):
        one = slice(goal, goal + 1)
        alone = drive(State(start.position[one], start.velocity[one]), oracle(target[one], WORLD), 12, WORLD)[1]
        np.testing.assert_array_equal(alone, together[one])


def test_mirrored_goals_are_driven_mirrored():
    start, target = random_goals("evaluation", range(50), WORLD)
    mirrored = State(WORLD.size - start.position, -start.velocity)
    once, _ = drive(start, oracle(target, WORLD), TIMESTEPS, WORLD)
    other, _ = drive(mirrored, oracle(WORLD.size - target, WORLD), TIMESTEPS, WORLD)
    settled = [
        settle_frames(np.linalg.norm(positions[:, 1:] - to[:, None, None], axis=-1).reshape(50, -1))
        for positions, to in ((once, target), (other, WORLD.size - target))
    ]
    assert (settled[0] == settled[1]).mean() > 0.95  # ties between forces may fall either way


def test_what_the_eye_sees_changes_nothing():
    start, target = random_goals("evaluation", range(5), WORLD)
    coverage, pixel = (drive(start, oracle(target, world), 12, world)[1] for world in (WORLD, World(raster="pixel")))
    np.testing.assert_array_equal(coverage, pixel)


def test_another_world_has_an_oracle_too():
    world = World(size=48, block=6, force=0.4, drag=0.03)
    start, target = random_goals("evaluation", range(50), world)
    positions, _ = drive(start, oracle(target, world), TIMESTEPS, world)
    distance = np.linalg.norm(positions[:, 1:] - target[:, None, None], axis=-1).reshape(50, -1)
    assert settle_frames(distance).max() < 60
    assert distance[:, -1].mean() < 0.2
