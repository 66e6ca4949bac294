"""`evaluation.json`: every key that others rely on, the same figures each time, and progress on the way.

python -m pytest tests/models/test_evaluation.py
"""

import json
import math

import pytest

from models.config import EvaluationConfig
from models.evaluation import evaluate

CONFIG = EvaluationConfig(episodes=12, horizon=5, timesteps=12)


@pytest.fixture(scope="module")
def progress():
    return []


@pytest.fixture(scope="module")
def evaluation(learned, world, progress):
    return evaluate(learned.model, learned.policy, world, CONFIG, lambda *done: progress.append(done))


def test_the_keys_are_those_that_are_documented(evaluation):
    top = {name: evaluation[name] for name in ("schema", "raster", "episodes", "seed")}
    assert top == {"schema": 1, "raster": "coverage", "episodes": 12, "seed": 0}
    assert [(dream["set"], dream["context"]) for dream in evaluation["dream"]] == [
        ("evaluation", 1),
        ("evaluation", 3),
        ("as_the_original", 1),
        ("as_the_original", 3),
    ]
    for dream in evaluation["dream"]:
        assert dream["horizon"] == [1, 2, 3, 4, 5]
        assert list(dream["centroid_error_px"]) == ["mean", "median", "p95"]
        curves = [*dream["centroid_error_px"].values(), dream["iou"], dream["copy_last_px"], dream["precision_px"]]
        curves += [dream["free_flight_px"], dream["wall_contact_px"], *dream["intervals"].values()]
        assert all(len(curve) == 5 for curve in curves)
    goals = evaluation["goal_reaching"]
    assert goals["timesteps"] == 12
    assert math.isfinite(goals["settle_ratio"])
    assert list(goals["controllers"]) == ["policy", "oracle", "zero_force", "random_force"]


def test_it_is_json_without_numbers_that_are_not_finite(evaluation):
    assert json.loads(json.dumps(evaluation, allow_nan=False)) == evaluation


def test_a_second_evaluation_gives_the_same_figures(evaluation, learned, world):
    assert evaluate(learned.model, learned.policy, world, CONFIG) == evaluation


def test_progress_goes_to_the_end_in_equal_steps(evaluation, progress):
    assert progress == [(done, 5) for done in range(1, 6)]
