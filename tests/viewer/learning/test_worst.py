"""Why dreams go wrong: python -m pytest tests/viewer/learning/test_worst.py"""

import numpy as np
import pytest

from models.precision import exact_errors
from models.world_model import WorldModel
from sim_core.episodes import Episodes
from sim_core.world import State, World, simulate
from viewer.learning.worst import CONTEXT, DRAWS, closest_calls, worst_dreams
from viewer.weights import PRETRAINED, load_weights

WORLD = World(drag=0)


def episode(position, velocity, forces):
    forces = np.array(forces, np.float32)[None]
    return Episodes(forces, *simulate(State(np.array([position]), np.array([velocity])), forces, WORLD))


def test_a_call_is_how_far_beyond_the_wall_or_how_near_to_it_before():
    beyond = closest_calls(episode([27.7, 16.0], [0.8, 0.0], [[0, 0]] * 2), WORLD)
    assert beyond[0, 2] == pytest.approx(0.1)  # 28.5, 29.3, 30.1
    assert np.isinf(np.delete(beyond[0], 2)).all()
    short = closest_calls(episode([27.57, 16.0], [0.8, 0.0], [[0, 0]] * 2), WORLD)
    assert short[0, 3] == pytest.approx(0.03)  # 28.37, 29.17, 29.97 and then beyond
    assert np.isinf(closest_calls(episode([16.0, 16.0], [0.1, 0.1], [[0, 0]] * 2), WORLD)).all()


def test_across_a_close_call_the_velocity_differs_by_twice_the_acceleration():
    """Of two starts a hair apart: what the page says of the world."""
    at_the_wall = 30 - (2 * 0.55 + 3 * 0.25)  # after two frames
    just, short = (episode([at_the_wall + hair, 16.0], [0.55, 0.0], [[1, 0]] * 2) for hair in (1e-5, -1e-5))
    apart = np.abs(just.velocities - short.velocities)[0].reshape(-1, 2)[:, 0]
    assert apart[0] == 0
    assert apart[3:] == pytest.approx(np.full(5, 0.5), abs=1e-3)


def test_without_noise_the_exact_simulator_is_right():
    episodes = Episodes(*(np.repeat(part, 3, axis=0) for part in vars(episode([9, 9], [1, 1], [[1, 0]] * 13)).values()))
    assert exact_errors(0, episodes, CONTEXT, WORLD, DRAWS).max() < 0.085  # as perfect frames are read
    assert exact_errors(0.1, episodes, CONTEXT, WORLD, DRAWS).max() > 0.1


def test_the_worst_dreams_are_told_with_where_they_departed():
    model, _, world, _ = load_weights(PRETRAINED)
    assert isinstance(model, WorldModel)
    found = worst_dreams(model, world, 60)
    errors = [story["error_px"] for story in found["worst"]]
    assert errors == sorted(errors, reverse=True)
    assert len(errors) == 20
    assert sum(found["by_call"]["episodes"]) == 60
    assert 0 < found["worst_share"] < 1
    for story in found["worst"]:
        assert 1 <= story["departed"] <= 40
        assert story["last_contact"] is None or story["last_contact"] <= story["departed"]
