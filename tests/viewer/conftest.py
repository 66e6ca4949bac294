from copy import deepcopy

import numpy as np
import pytest

from viewer.films import dream_film, gif, policy_film


@pytest.fixture(scope="session")
def films():
    """The two GIFs of a small run."""
    frames = np.zeros((2, 6, 4, 32, 32), np.float32)
    frames[..., 10:14, 10:14] = 1
    return {
        "model": gif(dream_film(frames, frames, 2)),
        "policy": gif(policy_film(frames, frames, frames[:, 0, 0])),
    }


@pytest.fixture
def evaluation(sample_evaluation):
    """An `evaluation.json` to change."""
    return deepcopy(sample_evaluation)


@pytest.fixture(scope="session")
def sample_evaluation():
    """An `evaluation.json` as the pipeline writes it."""
    return {
        "schema": 1,
        "raster": "coverage",
        "episodes": 100,
        "seed": 7,
        "dream": [_dream("evaluation", 1), _dream("evaluation", 3), _dream("as_the_original", 1)],
        "goal_reaching": {
            "timesteps": 50,
            "controllers": {name: _controller() for name in ("policy", "oracle", "zero_force", "random_force")},
            "settle_ratio": 1.25,
        },
    }


def _dream(episodes, context):
    horizon = list(range(1, 26))
    error = [0.1 * h for h in horizon]
    return {
        "set": episodes,
        "context": context,
        "horizon": horizon,
        "centroid_error_px": {"mean": error, "median": error, "p95": [4 * e for e in error]},
        "iou": [1 - 0.03 * h for h in horizon],
        "copy_last_px": [5.0] * 25,
        "precision_px": [0.02] * 24 + [None],
        "intervals": {"mean": [[0.9 * e, 1.1 * e] for e in error]},
    }


def _controller():
    frame = list(range(1, 201))
    return {
        "final_px_mean": 0.43,
        "final_px_median": 0.32,
        "within_1px": 0.91,
        "within_2px": 0.984,
        "held_1px": 0.9,
        "held_2px": 0.97,
        "settled": 0.99,
        "settle_frames_mean": 14.4,
        "settle_frames_median": 13.0,
        "settle_frames_p95": 22.0,
        "intervals": {"within_2px": [0.971, 0.993]},
        "distance": {"frame": frame, "q25": [1.0] * 200, "median": [2.0] * 200, "q75": [3.0] * 200},
    }
