"""The physics: what the formulas say, what a square world must keep, and bad constants.

python -m pytest tests/sim_core/test_world.py
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim_core.world import State, World, simulate, step

WORLD = World()
BLOCKS, TIMESTEPS = 5, 4

quick = settings(derandomize=True, deadline=None, max_examples=40, database=None)
states = st.builds(
    State,
    arrays(np.float64, (BLOCKS, 2), elements=st.floats(WORLD.low, WORLD.high)),
    arrays(np.float64, (BLOCKS, 2), elements=st.floats(-3, 3)),
)
forces_of_blocks = arrays(np.float32, (BLOCKS, TIMESTEPS, 2), elements=st.floats(-1, 1, width=32))


def by_the_formulas(x, v, force):
    """One axis and one frame, word for word."""
    v = v + 0.25 * force - 0.01 * v
    x = x + v
    while not 2 <= x <= 30:
        x = 2 * (2 if x < 2 else 30) - x
        v = -v
    return x, v


@quick
@given(states, forces_of_blocks)
def test_every_frame_follows_the_formulas_to_the_bit(state, forces):
    positions, velocities = simulate(state, forces, WORLD)
    for block in range(BLOCKS):
        for axis in range(2):
            x, v = state.position[block, axis], state.velocity[block, axis]
            for t in range(TIMESTEPS):
                for frame in range(WORLD.frames):
                    x, v = by_the_formulas(x, v, float(forces[block, t, axis]))
                    assert (positions[block, t, frame, axis], velocities[block, t, frame, axis]) == (x, v)


@pytest.mark.parametrize(
    ("position", "velocity"),
    [((10.0, 20.0), (29.0, -1000.0)), ((2.0, 30.0), (24.5, -27.0)), ((1.0, 31.0), (-1.0, 1.0)), ((40.0, -9), (-1, 1))],
)
def test_blocks_that_are_fast_or_begin_beyond_a_wall_follow_the_formulas_too(position, velocity):
    state = State(np.array([position, (16.0, 29.9)]), np.array([velocity, (0.3, 0.5)]))  # the second is neither
    forces = np.random.default_rng(0).uniform(-1, 1, (2, TIMESTEPS, 2))
    positions, velocities = simulate(state, forces, WORLD)
    for block, axis in np.ndindex(2, 2):
        x, v = state.position[block, axis], state.velocity[block, axis]
        for t, frame in np.ndindex(TIMESTEPS, WORLD.frames):
            x, v = by_the_formulas(x, v, forces[block, t, axis])
            assert (positions[block, t, frame, axis], velocities[block, t, frame, axis]) == (x, v)


@quick
@given(states, forces_of_blocks)
def test_a_block_is_never_outside(state, forces):
    positions, _ = simulate(state, forces, WORLD)
    assert positions.min() >= WORLD.low
    assert positions.max() <= WORLD.high


@pytest.mark.parametrize("speed", [29.0, 100.0, -1000.0])
def test_a_block_that_crosses_the_square_several_times_in_a_frame_is_reflected_until_inside(speed):
    after = step(State(np.array([[10.0, 20.0]]), np.full((1, 2), speed)), np.zeros((1, 2)), WORLD)
    for axis, start in enumerate((10.0, 20.0)):
        assert (after.position[0, axis], after.velocity[0, axis]) == by_the_formulas(start, speed, 0.0)


@quick
@given(st.sampled_from([WORLD.low, WORLD.high]), st.floats(0.01, 3), st.booleans())
def test_a_moving_block_without_force_leaves_the_wall(wall, speed, outward):
    away = 1 if wall == WORLD.low else -1
    state = State(np.array([[wall, 16.0]]), np.array([[-away * speed if outward else away * speed, 0.0]]))
    positions, _ = simulate(state, np.zeros((1, 2, 2)), WORLD)
    distance = away * (positions[0, ..., 0].reshape(-1) - wall)
    assert distance[0] > 0
    assert (np.diff(distance) > 0).all()


def test_a_block_pressed_against_a_wall_leaves_it_when_the_force_turns():
    forces = np.concatenate([np.full((1, 40, 2), -1.0), np.full((1, 2, 2), 1.0)], axis=1)
    positions, _ = simulate(State(np.full((1, 2), 3.0), np.zeros((1, 2))), forces, WORLD)
    assert (positions[0, -1, -1] > WORLD.low + 4).all()


@quick
@given(states)
def test_without_force_no_axis_gains_energy(state):
    _, velocities = simulate(state, np.zeros((BLOCKS, TIMESTEPS, 2)), WORLD)
    speeds = np.abs(np.concatenate([state.velocity[:, None], velocities.reshape(BLOCKS, -1, 2)], axis=1))
    assert (np.diff(speeds, axis=1) <= 0).all()


@quick
@given(states, forces_of_blocks, st.sampled_from([(-1, 1), (1, -1), (-1, -1)]))
def test_the_mirrored_start_and_forces_give_the_mirrored_motion(state, forces, mirror):
    def mirrored(position):
        return np.where(np.array(mirror) < 0, WORLD.size - position, position)

    positions, velocities = simulate(state, forces, WORLD)
    other = simulate(State(mirrored(state.position), mirror * state.velocity), mirror * forces, WORLD)
    np.testing.assert_allclose(other[0], mirrored(positions), atol=1e-9)
    # At a bounce a rounding error decides whether the velocity has turned in this frame or turns in the next.
    inside = (np.minimum(positions - WORLD.low, WORLD.high - positions) > 1e-9).all(axis=(1, 2, 3))
    np.testing.assert_allclose(other[1][inside], (mirror * velocities)[inside], atol=1e-9)


@quick
@given(states, forces_of_blocks)
def test_x_and_y_are_alike(state, forces):
    swapped = simulate(State(state.position[:, ::-1], state.velocity[:, ::-1]), forces[..., ::-1], WORLD)
    for once, other in zip(simulate(state, forces, WORLD), swapped, strict=True):
        np.testing.assert_array_equal(once, other[..., ::-1])


@quick
@given(states, forces_of_blocks)
def test_a_batch_gives_what_its_blocks_give_one_by_one(state, forces):
    together = simulate(state, forces, WORLD)
    for block in range(BLOCKS):
        alone = simulate(State(state.position[block], state.velocity[block]), forces[block], WORLD)
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one, all_of_them[block])


@quick
@given(states, forces_of_blocks)
def test_single_steps_give_what_the_whole_simulation_gives(state, forces):
    positions, velocities = simulate(state, forces, WORLD)
    for t in range(TIMESTEPS):
        for frame in range(WORLD.frames):
            state = step(state, forces[:, t], WORLD)
            np.testing.assert_array_equal(state.position, positions[:, t, frame])
            np.testing.assert_array_equal(state.velocity, velocities[:, t, frame])


def test_a_simulation_leaves_its_start_as_it_was():
    state = State(np.full((3, 2), 29.9), np.ones((3, 2)))
    simulate(state, np.ones((3, 2, 2)), WORLD)
    np.testing.assert_array_equal(state.position, 29.9)
    np.testing.assert_array_equal(state.velocity, 1)


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"size": 0}, "size must be a whole number of at least 1, got 0"),
        ({"frames": True}, "frames must be a whole number of at least 1, got True"),
        ({"block": -4}, "block must be a whole number of at least 1, got -4"),
        ({"block": 32}, r"block must be smaller than size \(32\), got 32"),
        ({"force": 0.0}, r"force must be above 0 and at most size \(32\), got 0.0"),
        ({"force": float("nan")}, r"force must be above 0 and at most size \(32\), got nan"),
        ({"force": 1e9}, r"force must be above 0 and at most size \(32\), got 1000000000.0"),
        ({"drag": 1.0}, "drag must be at least 0 and below 1, got 1.0"),
        ({"raster": "pixels"}, "raster must be one of coverage, pixel, got 'pixels'"),
    ],
)
def test_a_world_says_which_constant_is_wrong(constants, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        World(**constants)


@pytest.mark.parametrize("force", [1.001, -2.0, float("nan"), float("inf")])
def test_a_force_out_of_range_is_refused(force):
    state = State(np.full((1, 2), 16.0), np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"every force must be within \[-1, 1\]"):
        step(state, np.full((1, 2), force), WORLD)
    with pytest.raises(ValueError, match=r"every force must be within \[-1, 1\]"):
        simulate(state, np.full((1, 3, 2), force), WORLD)


@pytest.mark.parametrize(
    "broken", [State(np.full((1, 2), np.nan), np.zeros((1, 2))), State(np.full((1, 2), 9.0), np.full((1, 2), np.inf))]
)
def test_a_state_that_is_not_finite_is_refused(broken):
    with pytest.raises(ValueError, match="every position and velocity must be finite"):
        simulate(broken, np.zeros((1, 1, 2)), WORLD)
