"""The Gymnasium environment: its contract, its goal, and the vector environment that must be many single ones.

python -m pytest tests/sim_core/test_env.py
"""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode

from sim_core.drive import drive
from sim_core.env import BlockWorldVectorEnv
from sim_core.raster import render
from sim_core.world import State, World

ID = "sim_core.env:dreamblock/BlockWorld-v0"
worlds = pytest.mark.parametrize("world", [World(), World(raster="pixel"), World(size=16, frames=2)], ids=str)


@worlds
def test_gymnasium_finds_nothing_to_warn_of(world):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(ID, world=world, render_mode="rgb_array").unwrapped)
        envs = gymnasium.make_vec(ID, num_envs=2, world=world)
        assert envs.reset(seed=0)[0] in envs.observation_space


@worlds
def test_the_same_seed_and_actions_give_the_same_bytes(world):
    def episode():
        env = gymnasium.make(ID, world=world)
        env.action_space.seed(4)
        yield env.reset(seed=4)
        for _ in range(6):
            yield env.step(env.action_space.sample())

    for once, again in zip(episode(), episode(), strict=True):
        assert data_equivalence(once, again, exact=True)


def test_an_episode_is_truncated_after_fifty_timesteps_and_never_terminates():
    env = gymnasium.make(ID)
    env.reset(seed=0)
    for timestep in range(1, 51):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        assert (terminated, truncated) == (False, timestep == 50)


def test_the_frames_and_rewards_are_those_of_the_simulator():
    world = World()
    position, velocity, target = np.array([5.0, 20.0]), np.array([1.5, -0.5]), np.array([18.0, 9.5])
    actions = np.random.default_rng(0).uniform(-1, 1, (6, 2)).astype(np.float32)
    env = gymnasium.make(ID)
    moved, _ = drive(State(position[None], velocity[None]), lambda t, state, positions: actions[t : t + 1], 6, world)
    distances = np.linalg.norm(moved[0, :, -1] - target, axis=-1)

    observation, info = env.reset(options={"position": position, "velocity": velocity, "target": target})
    for t in range(7):
        if t:
            observation, reward, _, _, info = env.step(actions[t - 1])
            assert reward == pytest.approx(-distances[t] / 32)
        np.testing.assert_array_equal(observation["observation"], render(moved[0, t], world))
        np.testing.assert_array_equal(observation["target"], render(target, world))
        assert info["distance"] == pytest.approx(distances[t])


def test_starts_and_targets_fill_the_square():
    envs = gymnasium.make_vec(ID, num_envs=500)
    observation, _ = envs.reset(seed=0)
    for frames in (observation["observation"][:, 0], observation["target"]):
        for other_axis in (1, 2):  # every column, every row was covered in some episode
            assert (frames.max(axis=(0, other_axis)) > 0.5).all()


def test_the_picture_shows_the_block_in_green_and_the_target_in_blue():
    env = gymnasium.make(ID, render_mode="rgb_array")
    env.reset(options={"position": [6, 6], "velocity": [0, 0], "target": [20, 10]})
    picture = np.asarray(env.render())
    assert picture.shape == (256, 256, 3)
    assert picture[48, 48].tolist() == [0, 255, 0]
    assert picture[80, 160].tolist() == [0, 0, 255]
    assert (picture.any(axis=-1).mean()) == pytest.approx(2 * 16 / 32**2)


@pytest.mark.parametrize("action", [[1.5, 0], [0, -1.01], [np.nan, 0]])
def test_an_action_outside_its_bounds_is_refused(action):
    env = gymnasium.make(ID).unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"every force must be within \[-1, 1\]"):
        env.step(np.array(action, np.float32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goal": [3, 3]}, "an option of reset is one of position, velocity, target, got 'goal'"),
        ({"target": 3}, r"the option target must be two numbers \(x, y\), got 3"),
        ({"position": [1, 9]}, r"the option position must be within \[2.0, 30.0\], got \[1, 9\]"),
        ({"target": [9, float("nan")]}, r"the option target must be within \[2.0, 30.0\]"),
        ({"velocity": [1e20, 0]}, r"the option velocity must be within \[-32, 32\], got \[1e\+20, 0\]"),
        ({"velocity": [0, float("nan")]}, "the option velocity must be within"),
    ],
)
def test_a_bad_option_of_reset_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        gymnasium.make(ID).reset(options=options)


def test_an_action_of_another_shape_is_refused():
    env, envs = gymnasium.make(ID).unwrapped, BlockWorldVectorEnv(num_envs=3)
    env.reset(seed=0)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"the action must be of shape \(2,\), got \(3,\)"):
        env.step(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match=r"the action must be of shape \(3, 2\), got \(2,\)"):
        envs.step(np.zeros(2, np.float32))


def test_the_vector_environment_wants_a_reset_before_its_first_step():
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset before step"):
        BlockWorldVectorEnv(num_envs=2).step(np.zeros((2, 2), np.float32))


def test_the_vector_environment_is_many_single_ones_also_over_the_end_of_an_episode():
    count, seed = 3, 7
    envs = gymnasium.make_vec(ID, num_envs=count, max_episode_steps=8)
    singles = gymnasium.make_vec(ID, num_envs=count, vectorization_mode="sync", max_episode_steps=8)
    assert isinstance(envs, BlockWorldVectorEnv)
    assert envs.metadata["autoreset_mode"] == singles.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert envs.observation_space == singles.observation_space
    assert envs.action_space == singles.action_space
    assert data_equivalence(envs.reset(seed=seed), singles.reset(seed=seed), exact=True)
    envs.action_space.seed(0)
    for _ in range(20):
        actions = envs.action_space.sample()
        for once, other in zip(envs.step(actions), singles.step(actions), strict=True):
            assert data_equivalence(once, other)


def test_the_vector_environment_takes_a_seed_and_options_for_each():
    envs = BlockWorldVectorEnv(num_envs=2)
    observation, _ = envs.reset(seed=[5, 5], options={"velocity": [0.5, 0.5]})
    np.testing.assert_array_equal(observation["observation"][0], observation["observation"][1])
    observation, _ = envs.reset(options={"target": [[4, 4], [9, 25]]})
    np.testing.assert_array_equal(observation["target"], render(np.array([[4.0, 4], [9, 25]]), World()))
    with pytest.raises(ValueError, match="seed must be one number or 2 of them, got 3"):
        envs.reset(seed=[1, 2, 3])


def test_the_pictures_of_the_vector_environment_are_those_of_its_blocks():
    envs = gymnasium.make_vec(ID, num_envs=2, render_mode="rgb_array")
    single = gymnasium.make(ID, render_mode="rgb_array")
    envs.reset(seed=3)
    single.reset(seed=4)
    pictures = np.asarray(envs.render())
    assert pictures.shape == (2, 256, 256, 3)
    np.testing.assert_array_equal(pictures[1], np.asarray(single.render()))


def test_blocks_start_in_every_direction():
    envs = BlockWorldVectorEnv(num_envs=500)
    before = envs.reset(seed=0, options={"position": [16, 16]})[0]["observation"]
    rows, columns = before[:, -1].sum(2), before[:, -1].sum(1)
    for mass in (rows, columns):
        centre = mass @ (np.arange(32) + 0.5) / 16
        assert centre.min() < 16 - 3.5  # four frames at nearly 1 px/frame, less the drag
        assert centre.max() > 16 + 3.5


def test_a_reward_is_the_distance_over_the_side_of_the_square():
    env = gymnasium.make(ID, world=World(size=16))
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.zeros(2, np.float32))
    assert reward == pytest.approx(-info["distance"] / 16)
