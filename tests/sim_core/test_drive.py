"""Driving a block with a controller, when it counts as settled, and the controllers that know no target.

python -m pytest tests/sim_core/test_drive.py
"""

import numpy as np
import pytest

from sim_core.controllers import random_force, zero_force
from sim_core.drive import drive, settle_frames
from sim_core.episodes import random_goals
from sim_core.world import World, simulate

WORLD = World()


def test_nothing_pushes_before_the_first_observation_and_then_each_chosen_force_moves_its_timestep():
    start, _ = random_goals("evaluation", range(20), WORLD)
    chosen = np.random.default_rng(0).uniform(-1, 1, (5, 20, 2)).astype(np.float32)
    positions, forces = drive(start, lambda t, state, positions: chosen[t], 5, WORLD)
    assert (forces[:, 0] == 0).all()
    np.testing.assert_array_equal(forces[:, 1:], chosen.swapaxes(0, 1))
    np.testing.assert_array_equal(positions, simulate(start, forces, WORLD)[0])


def test_a_controller_is_shown_the_state_and_the_past_and_no_more():
    start, _ = random_goals("evaluation", range(6), WORLD)
    seen = []

    def choose_force(t, state, positions):
        seen.append((t, state, positions.copy()))
        return np.full((6, 2), 0.5)

    positions, forces = drive(start, choose_force, 4, WORLD)
    velocities = simulate(start, forces, WORLD)[1]
    assert [t for t, _, _ in seen] == [0, 1, 2, 3]
    for t, state, past in seen:
        np.testing.assert_array_equal(past, positions[:, : t + 1])
        np.testing.assert_array_equal(state.position, positions[:, t, -1])
        np.testing.assert_array_equal(state.velocity, velocities[:, t, -1])


def test_without_timesteps_there_is_only_the_first_observation():
    start, _ = random_goals("evaluation", range(6), WORLD)
    positions, forces = drive(start, zero_force, 0, WORLD)
    assert positions.shape == (6, 1, 4, 2)
    assert forces.shape == (6, 1, 2)


@pytest.mark.parametrize(
    ("far", "settled"),
    [
        ([], 1),  # at the target from the first frame on
        (range(12), 13),
        ([4], 6),
        ([0, 10, 29], 31),  # two times it stayed for less than 20 frames
        ([21], 1),  # leaving after the run does not count
        (range(180), 181),  # the run ends with the last frame
        (range(181), 200),
        (range(200), 200),
        (range(9, 200, 20), 200),  # never 20 in a row
    ],
)
def test_settling_is_the_first_frame_of_twenty_in_a_row_within_the_radius(far, settled):
    distance = np.full((1, 200), 2.0)
    distance[0, list(far)] = 2.01
    assert settle_frames(distance) == settled


def test_settling_counts_each_episode_by_itself():
    distance = np.full((3, 30), 9.0)
    distance[1, 5:] = 0.5
    distance[2, 2:] = 0.5
    np.testing.assert_array_equal(settle_frames(distance), [30, 6, 3])


def test_fewer_frames_than_a_run_never_settle():
    np.testing.assert_array_equal(settle_frames(np.zeros((2, 19))), [19, 19])


def test_zero_force_never_pushes():
    start, _ = random_goals("evaluation", range(6), WORLD)
    assert (drive(start, zero_force, 3, WORLD)[1] == 0).all()


def test_random_forces_follow_their_seed_and_fill_the_range():
    start, _ = random_goals("evaluation", range(200), WORLD)
    one, same, other = (drive(start, random_force(seed), 10, WORLD)[1][:, 1:] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.99
    np.testing.assert_allclose(np.quantile(one, [0.05, 0.5, 0.95]), [-0.9, 0, 0.9], atol=0.05)
    assert len(np.unique(one)) > 0.99 * one.size


def test_an_episode_of_20_frames_can_be_settled_and_a_shorter_one_cannot():
    assert settle_frames(np.ones((1, 20))).tolist() == [1]
    assert settle_frames(np.ones((1, 19))).tolist() == [19]
