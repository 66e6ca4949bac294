"""What is looked at while the learners train: figures and films of validation episodes.

python -m pytest tests/models/test_looks.py
"""

import numpy as np
import pytest

from models.dream_figures import dream_errors
from models.goal_figures import drive_policy
from models.look_at_dreams import EPISODES, FILMED, film_strip, look_at_dreams
from models.look_at_goals import GOALS, TIMESTEPS, look_at_goals
from sim_core.episodes import random_goals
from sim_core.raster import render


def test_the_open_loop_error_is_that_of_the_check(learned, world):
    figures, film = look_at_dreams(learned.model, world, seed=5)
    error = dream_errors(learned.model, world, "validation", EPISODES, learned.model.config.memory, 10, seed=5)
    assert figures == {f"validation_dream_h{h}_px": pytest.approx(error[:, h - 1].mean()) for h in (1, 5, 10)}
    assert film.shape == (FILMED * (world.size + 1), (learned.model.config.memory + 10) * (world.size + 1), 3)
    assert film.min() >= 0
    assert film.max() <= 1


def test_the_goals_are_reached_on_the_true_simulator(learned, world):
    figures, film = look_at_goals(learned.model, learned.policy, world, seed=5)
    start, target = random_goals("validation", range(GOALS), world, 5)
    path, _ = drive_policy(learned.model, learned.policy, start, render(target, world), TIMESTEPS, world)
    assert figures["validation_goal_px"] == pytest.approx(np.linalg.norm(path[:, -1, -1] - target, axis=-1).mean())
    assert 0 <= figures["validation_settled"] <= 1
    assert 1 <= figures["validation_settle_frames"] <= TIMESTEPS * world.frames
    assert film.shape == (FILMED * (world.size + 1), (TIMESTEPS + 1) * (world.size + 1), 3)


def test_in_a_film_a_row_is_an_episode_and_a_column_a_timestep():
    frames = np.zeros((2, 3, 4, 4))
    frames[1, 2, 0, 3] = 1
    film = film_strip(frames, 0 * frames, frames)
    assert film.shape == (2 * 5, 3 * 5, 3)
    assert np.argwhere(film[..., 0] == 1).tolist() == [[1 * 5 + 0, 2 * 5 + 3]]
    assert film[5, 13].tolist() == [1, 0, 1]
