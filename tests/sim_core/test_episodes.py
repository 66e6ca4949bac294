"""Random episodes and goals: what each set draws, and that an episode is its set, seed and index and nothing else.

python -m pytest tests/sim_core/test_episodes.py
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_core.episodes import SETS, random_episodes, random_goals
from sim_core.world import State, World, simulate

WORLD = World()
FIXED = ("evaluation", "audit", "as_the_original")

quick = settings(derandomize=True, deadline=None, max_examples=25, database=None)
every_set = pytest.mark.parametrize("which", SETS)


def bang_bang_and_held(forces):
    """Which episodes are pushed at full thrust or not at all, and of the others in which a force ever stays."""
    bang = np.isin(forces, [-1, 0, 1]).all(axis=(1, 2))
    return bang, ~bang & (forces[:, 1:] == forces[:, :-1]).all(axis=2).any(axis=1)


def content(episodes):
    return episodes.forces.tobytes() + episodes.positions.tobytes() + episodes.velocities.tobytes()


@every_set
def test_the_same_seed_gives_the_same_bytes(which):
    first, again = (random_episodes(which, range(300), 6, WORLD, seed=3) for _ in range(2))
    assert content(first) == content(again)


@quick
@given(st.sampled_from(SETS), st.integers(0, 700), st.integers(0, 300))
def test_an_episode_does_not_depend_on_how_the_set_is_cut_into_shards(which, first, count):
    whole = random_episodes(which, range(1000), 2, WORLD, seed=5)
    shard = random_episodes(which, range(first, first + count), 2, WORLD, seed=5)
    np.testing.assert_array_equal(shard.forces, whole.forces[first : first + count])
    np.testing.assert_array_equal(shard.positions, whole.positions[first : first + count])
    start, target = random_goals(which, range(first, first + count), WORLD, seed=5)
    whole_start, whole_target = random_goals(which, range(1000), WORLD, seed=5)
    np.testing.assert_array_equal(start.position, whole_start.position[first : first + count])
    np.testing.assert_array_equal(target, whole_target[first : first + count])


@every_set
def test_a_longer_episode_begins_like_a_shorter_one(which):
    short, long = (random_episodes(which, range(50), timesteps, WORLD) for timesteps in (4, 9))
    np.testing.assert_array_equal(long.positions[:, :5], short.positions)
    np.testing.assert_array_equal(long.forces[:, :5], short.forces)


def test_no_episode_is_in_two_sets_or_under_two_seeds():
    drawn = [random_episodes(which, range(500), 1, WORLD, seed) for which in SETS for seed in (0, 1)]
    starts = np.concatenate([episodes.positions[:, 0, 0] for episodes in drawn])
    # The three sets that judge a run are the same under both seeds.
    assert len(np.unique(starts, axis=0)) == 500 * (2 * len(SETS) - len(FIXED))


@every_set
def test_only_training_and_validation_follow_the_seed(which):
    same = content(random_episodes(which, range(9), 3, WORLD, 1)) == content(
        random_episodes(which, range(9), 3, WORLD, 2)
    )
    assert same == (which in FIXED)


def test_the_evaluation_episodes_are_those_of_earlier_runs():
    episodes = random_episodes("evaluation", range(1), 1, WORLD)
    start, target = random_goals("evaluation", range(1), WORLD)
    np.testing.assert_allclose(episodes.positions[0, 0, 0], [11.38192174968248, 28.523820059503887], atol=1e-12)
    np.testing.assert_allclose(
        [start.position[0], start.velocity[0], target[0]],
        [
            [29.512974794002183, 18.79473794004671],
            [0.2104728964295577, -0.7949693925726722],
            [22.55316896291015, 12.059939860330484],
        ],
        atol=1e-12,
    )


@every_set
def test_the_forces_are_what_moved_the_block(which):
    episodes = random_episodes(which, range(40), 7, WORLD)
    assert episodes.forces.dtype == np.float32
    assert episodes.positions.shape == (40, 8, 4, 2)
    last = State(episodes.positions[:, 2, -1], episodes.velocities[:, 2, -1])
    positions, velocities = simulate(last, episodes.forces[:, 3:], WORLD)
    np.testing.assert_array_equal(positions, episodes.positions[:, 3:])
    np.testing.assert_array_equal(velocities, episodes.velocities[:, 3:])


@pytest.mark.parametrize(
    ("which", "slowest", "fastest"),
    [("training", -2, 2), ("validation", -1, 1), ("evaluation", -1, 1), ("audit", -1, 1), ("as_the_original", 0, 1)],
)
def test_starts_and_targets_fill_the_range_of_their_set(which, slowest, fastest):
    start, target = random_goals(which, range(3000), WORLD)
    for drawn, low, high in ((start.velocity, slowest, fastest), (start.position, 2, 30), (target, 2, 30)):
        assert low <= drawn.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < drawn.max() <= high
        np.testing.assert_allclose(drawn.mean(axis=0), (low + high) / 2, atol=0.03 * (high - low))


@pytest.mark.parametrize(
    ("which", "strongest"), [("validation", 1), ("evaluation", 1), ("audit", 1), ("as_the_original", 0.5)]
)
def test_forces_outside_training_are_independent_and_uniform(which, strongest):
    forces = random_episodes(which, range(1500), 9, WORLD).forces / strongest
    assert np.abs(forces).max() <= 1
    np.testing.assert_allclose(np.quantile(forces, [0.05, 0.25, 0.5, 0.75, 0.95]), [-0.9, -0.5, 0, 0.5, 0.9], atol=0.02)
    columns = forces.reshape(1500, -1)
    assert np.abs(np.corrcoef(columns.T) - np.eye(columns.shape[1])).max() < 0.12


def test_training_mixes_independent_held_and_bang_bang_forces():
    forces = random_episodes("training", range(3000), 20, WORLD).forces
    bang, held = bang_bang_and_held(forces)
    independent = ~bang & ~held
    for share in (bang, held, independent):
        assert 0.28 < share.mean() < 0.38
    runs = (forces[held, 1:] == forces[held, :-1]).all(axis=2).mean()
    assert 0.5 < runs < 0.9  # a held force stays for 2 to 10 timesteps on average
    assert 0.05 < (forces[bang] == 0).mean() < 0.15


def test_a_share_of_the_training_set_starts_and_is_pushed_as_the_original_s():
    usual, mixed, alike = (random_episodes("training", range(2000), 8, WORLD, 1, share) for share in (0, 0.5, 1))
    same = (mixed.forces == usual.forces).all(axis=(1, 2)) & (mixed.velocities == usual.velocities).all(axis=(1, 2, 3))
    assert 0.45 < same.mean() < 0.55
    np.testing.assert_array_equal(mixed.forces[~same], alike.forces[~same])
    assert np.abs(alike.forces).max() <= 0.5
    away = (alike.positions[:, 0, 0] > 4) & (alike.positions[:, 0, 0] < 28)  # not yet thrown back by a wall
    assert alike.velocities[:, 0, 0][away].min() > -0.13  # from 0 on, after a frame of at most half the force
    held = (mixed.forces[:, 1:] == mixed.forces[:, :-1]).all(axis=2).any(axis=1)
    assert held[same].mean() - held[~same].mean() > 0.1


@every_set
def test_no_episodes_are_no_episodes(which):
    assert random_episodes(which, range(7, 7), 3, WORLD).positions.shape == (0, 4, 4, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"which": "test"}, "a set of episodes is one of training, .*, as_the_original, got 'test'"),
        ({"indices": range(-1, 4)}, "indices must be a range from 0 or above in steps of 1"),
        ({"indices": range(0, 9, 2)}, "indices must be a range from 0 or above in steps of 1"),
        ({"timesteps": -1}, "timesteps must be at least 0, got -1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        random_episodes(
            **{"which": "training", "indices": range(3), "timesteps": 2, "world": WORLD, "seed": 0, **arguments}
        )


def test_what_is_not_as_the_originals_still_has_a_third_of_each_kind():
    mixed, alike = (random_episodes("training", range(3000), 20, WORLD, 0, share).forces for share in (0.4, 1))
    bang, held = bang_bang_and_held(mixed[~(mixed == alike).all(axis=(1, 2))])
    for kind in (bang, held, ~bang & ~held):
        assert 0.28 < kind.mean() < 0.38


def test_forces_are_held_for_two_to_ten_timesteps_of_either_kind():
    forces = random_episodes("training", range(3000), 60, WORLD).forces
    bang, held = bang_bang_and_held(forces)
    stays = (forces[:, 1:] == forces[:, :-1]).all(axis=2).mean(axis=1)
    for kind, soon in ((held, 0.6), (bang, 0.65)):  # of few values, the next is the same by chance now and then
        low, high = np.quantile(stays[kind], (0.1, 0.9))
        assert low < soon
        assert high > 0.8
