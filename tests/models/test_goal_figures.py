"""Figures of goal-reaching: hand-made distances whose figures are known, and what the policy is shown on its way.

python -m pytest tests/models/test_goal_figures.py
"""

import json

import numpy as np
import pytest
import torch

from models.goal_figures import controller_figures, drive_policy, goal_frames, goal_reaching
from models.policy import encode_target
from sim_core.controllers import zero_force
from sim_core.drive import drive
from sim_core.episodes import random_goals
from sim_core.raster import render
from sim_core.world import State, World

FIGURES = (
    "final_px_mean",
    "final_px_median",
    "within_1px",
    "within_2px",
    "held_1px",
    "held_2px",
    "settled",
    "settle_frames_mean",
    "settle_frames_median",
    "settle_frames_p95",
)


def figures(*episodes):
    """The figures of episodes of 50 timesteps, given as distances of their 200 frames."""
    return controller_figures(np.stack(episodes).astype(float).reshape(len(episodes), 50, 4))


def distances(*parts):
    """Distances of 200 frames: (frames, distance) after one another."""
    path = np.concatenate([np.full(frames, distance) for frames, distance in parts])
    assert len(path) == 200
    return path


def test_a_block_that_is_there_from_the_start_settles_in_frame_1():
    found = figures(distances((200, 0.5)))
    expected = (0.5, 0.5, 1, 1, 1, 1, 1, 1, 1, 1)
    assert {name: found[name] for name in FIGURES} == dict(zip(FIGURES, expected, strict=True))


def test_a_block_that_never_comes_counts_all_frames():
    found = figures(distances((200, 9)))
    expected = (9, 9, 0, 0, 0, 0, 0, 200, 200, 200)
    assert {name: found[name] for name in FIGURES} == dict(zip(FIGURES, expected, strict=True))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (distances((10, 9), (190, 2.0)), 11),
        (distances((10, 9), (20, 1), (170, 9)), 11),  # left again, but 20 in a row were there
        (distances((10, 9), (19, 1), (171, 9)), 200),
        (distances((10, 9), (19, 1), (1, 2.01), (170, 1)), 31),
        (distances((180, 9), (20, 1)), 181),
        (distances((181, 9), (19, 1)), 200),
    ],
)
def test_settling_is_the_first_frame_of_20_in_a_row_within_2_px(path, expected):
    found = figures(path)
    assert found["settle_frames_mean"] == expected
    assert found["settled"] == (expected < 200)


def test_held_is_the_mean_of_the_last_10_timesteps_and_within_the_last_frame_alone():
    passing = figures(distances((199, 9), (1, 0.5)))
    assert (passing["within_1px"], passing["held_2px"]) == (1, 0)
    leaving = figures(distances((160, 9), (39, 0.5), (1, 15)))  # a mean of .86 px
    assert (leaving["within_2px"], leaving["held_1px"]) == (0, 1)
    early = figures(distances((160, 0), (20, 0), (20, 3)))  # a mean of 1.5 px
    assert (early["held_1px"], early["held_2px"]) == (0, 1)


def test_the_unsettled_count_in_means_and_shares_have_intervals():
    found = figures(*[distances((200, 1))] * 3, distances((200, 9)))
    assert found["settled"] == 0.75
    assert found["settle_frames_mean"] == (3 + 200) / 4
    assert found["settle_frames_median"] == 1
    assert set(found["intervals"]) == set(FIGURES)
    low, high = found["intervals"]["settled"]
    assert low < 0.75 < high


def test_the_curve_of_distances_has_a_point_for_every_frame_that_was_driven():
    path = np.arange(200.0)
    found = figures(path, path + 1, path + 2, path + 3, path + 4)["distance"]
    assert found["frame"] == list(range(1, 201))
    np.testing.assert_allclose([found["q25"], found["median"], found["q75"]], [path + 1, path + 2, path + 3])


def test_all_controllers_are_measured_on_the_same_goals(learned, world):
    reached = goal_reaching(learned.model, learned.policy, world, "evaluation", 30, 20)
    controllers = reached["controllers"]
    assert list(controllers) == ["policy", "oracle", "zero_force", "random_force"]
    assert controllers["oracle"]["final_px_mean"] < controllers["policy"]["final_px_mean"]
    assert controllers["oracle"]["settled"] == 1
    ratio = controllers["policy"]["settle_frames_mean"] / controllers["oracle"]["settle_frames_mean"]
    assert reached["settle_ratio"] == pytest.approx(ratio)
    assert reached["settle_ratio"] > 1
    low, high = reached["intervals"]["settle_ratio"]
    assert low < reached["settle_ratio"] < high
    json.dumps(reached, allow_nan=False)


def test_the_distance_at_the_end_is_that_of_the_last_frame_of_the_last_timestep(learned, world):
    start, target = random_goals("evaluation", range(30), world)
    positions, _ = drive(start, zero_force, 20, world)
    distance = np.linalg.norm(positions[:, -1, -1] - target, axis=-1).mean()
    reached = goal_reaching(learned.model, learned.policy, world, "evaluation", 30, 20)
    assert reached["controllers"]["zero_force"]["final_px_mean"] == pytest.approx(distance)


def test_the_policy_sees_frames_and_nothing_else(learned):
    """In whole pixels two states a quarter of a pixel apart look alike, and at rest are driven alike."""
    world = World(size=16, frames=2, raster="pixel")
    target = render(np.array([[11.0, 4.0]]), world)
    forces = [
        drive_policy(learned.model, learned.policy, State(np.array([[6.0, y]]), np.zeros((1, 2))), target, 1, world)[1]
        for y in (8.1, 8.35, 9.1)
    ]
    np.testing.assert_array_equal(forces[0], forces[1])
    assert not np.array_equal(forces[0], forces[2])


def test_a_drive_does_not_depend_on_how_many_are_driven(learned, world):
    start, target = random_goals("evaluation", range(130), world)
    image = render(target, world)
    many, _ = drive_policy(learned.model, learned.policy, start, image, 4, world)
    few, _ = drive_policy(learned.model, learned.policy, State(*(part[120:] for part in start)), image[120:], 4, world)
    np.testing.assert_allclose(many[120:], few, atol=1e-4)


def test_the_policy_acts_on_the_latest_observations_and_the_force_before(learned, world):
    model, policy = learned
    start, target = random_goals("evaluation", range(4), world)
    image = render(target, world)
    positions, forces = drive_policy(model, policy, start, image, 6, world)
    pushed = torch.from_numpy(forces)
    assert not forces[:, 0].any()
    for t in (1, 2, 6):
        latents = torch.stack([model.encode(torch.from_numpy(render(positions[:, i], world))) for i in range(t)], 1)
        expected = policy(
            model.filter(latents, pushed[:, :t]), encode_target(model, torch.from_numpy(image)), pushed[:, t - 1]
        )
        np.testing.assert_allclose(forces[:, t], expected, atol=1e-4)


def test_what_is_imagined_on_the_way_is_one_timestep_ahead_of_what_was_seen(learned, world):
    truth, imagined, target = goal_frames(learned.model, learned.policy, world, "evaluation", range(2, 5), 6)
    assert truth.shape == imagined.shape == (3, 7, 2, 16, 16)
    start, goal = random_goals("evaluation", range(2, 5), world)
    np.testing.assert_array_equal(target, render(goal, world))
    positions, forces = drive_policy(learned.model, learned.policy, start, target, 6, world)
    np.testing.assert_array_equal(truth, render(positions, world))
    assert not imagined[:, 0].any()

    frames, pushed = torch.from_numpy(truth), torch.from_numpy(forces)
    latents = torch.stack([learned.model.encode(frames[:, t]) for t in range(5)], 1)
    expected, _ = learned.model.dream(learned.model.filter(latents, pushed[:, :5]), pushed[:, 5:6])
    np.testing.assert_allclose(imagined[:, 5], torch.sigmoid(learned.model.decode(expected))[:, 0], atol=1e-4)


def test_the_worst_are_the_episodes_that_end_farthest_away():
    early, late, never = distances((100, 9), (100, 1)), distances((100, 1), (100, 5)), distances((200, 7))
    assert figures(early, late, never, distances((200, 0.5)))["worst"] == {"episode": [2, 1, 0], "px": [7, 5, 1]}


def test_within_1_px_is_not_within_2():
    found = figures(distances((199, 9), (1, 1.5)))
    assert (found["within_1px"], found["within_2px"]) == (0, 1)


def test_the_percentile_is_of_the_slow():
    found = figures(*[distances((200, 0.5))] * 19, *[distances((200, 9))] * 2)
    assert (found["settle_frames_median"], found["settle_frames_p95"]) == (1, 200)


def test_who_is_thrown_off_in_the_last_frame_is_not_the_worst():
    found = figures(distances((199, 1), (1, 30)), *[distances((200, 5))] * 3, distances((200, 0.5)))
    assert found["worst"]["episode"] == [1, 2, 3]
