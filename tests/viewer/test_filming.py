"""What is filmed: the episodes that are named, from the context that is said.

python -m pytest tests/viewer/test_filming.py
"""

from typing import Any

import numpy as np
import pytest

from sim_core.world import World
from viewer import filming

NOBODY: Any = None  # in the place of weights that nothing asks for anything


@pytest.fixture
def worst():
    """An `evaluation.json`, as far as it names the worst."""
    named = {"episode": [7, 4], "px": [9.1, 8.0]}
    return {
        "dream": [
            {"set": "evaluation", "context": 1, "horizon": [1], "worst": {"episode": [0], "px": [1.0]}},
            {"set": "evaluation", "context": 3, "horizon": [1, 2], "worst": named},
        ],
        "goal_reaching": {"timesteps": 50, "controllers": {"policy": {"worst": named}}},
    }


def test_the_films_of_the_worst_are_of_the_episodes_that_they_name(worst, monkeypatch):
    monkeypatch.setattr(filming, "film_of_model", lambda model, world, horizon, episodes, across: (horizon, episodes))
    monkeypatch.setattr(filming, "film_of_policy", lambda *given: given[3:5])
    assert filming.films_of_worst_dreams(NOBODY, World(), worst) == {
        "Dream of episode 7: 9.1 px off": (2, range(7, 8)),
        "Dream of episode 4: 8.0 px off": (2, range(4, 5)),
    }
    assert filming.films_of_worst_goals(NOBODY, NOBODY, World(), worst) == {
        "Goal 7: 9.10 px away": (50, range(7, 8)),
        "Goal 4: 8.00 px away": (50, range(4, 5)),
    }


def test_a_dream_is_filmed_with_the_whole_context_that_it_was_given(monkeypatch):
    asked = []

    def dream_frames(model, world, which, episodes, context, horizon):
        asked.append((which, episodes, context, horizon))
        return np.zeros((2, 1, context + horizon, 4, 32, 32), np.float32)

    monkeypatch.setattr(filming, "dream_frames", dream_frames)
    monkeypatch.setattr(filming, "dream_film", lambda truth, dream, context, across: (truth.shape[1], context))
    assert filming.film_of_model(NOBODY, World(), 5, range(7, 8)) == (8, 3)
    assert asked == [("evaluation", range(7, 8), 3, 5)]
