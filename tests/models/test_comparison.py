"""Who is better of two pairs of weights: by made figures whose verdict is known, and by those of an evaluation.

python -m pytest tests/models/test_comparison.py
"""

import numpy as np
import pytest

from models.comparison import Measured, compare, horizons_of, measure
from models.config import EvaluationConfig
from models.evaluation import evaluate

CONFIG = EvaluationConfig(episodes=200)
EPISODES = np.random.default_rng(0).uniform(5, 40, CONFIG.episodes)  # some are far harder than others
LUCK = np.random.default_rng(1).normal(size=CONFIG.episodes)


def measured(settle=0.0, dream=(0.0, 0.0, 0.0)):
    """Figures of the same hard and easy episodes, but for what is added on each."""
    errors = EPISODES[:, None] / 40 + np.array(dream) + LUCK[:, None] * 1e-3
    return Measured(EPISODES + settle, errors.astype(np.float32))


def test_a_little_faster_on_every_episode_wins_though_episodes_differ_more():
    found = compare(measured(settle=-0.5 + 0.5 * LUCK), measured(), CONFIG)
    assert found.settle.less == pytest.approx(0.5, abs=0.1)
    assert 0.3 < found.settle.low < found.settle.less < found.settle.high < 0.7
    assert (found.faster, found.worse_dreams, found.won) == (True, [], True)


@pytest.mark.parametrize("settle", [0.0, 0.5, -0.1 + 3 * LUCK])
def test_who_is_as_fast_or_slower_or_faster_by_luck_does_not_win(settle):
    found = compare(measured(settle=settle), measured(), CONFIG)
    assert (found.faster, found.won) == (False, False)


@pytest.mark.parametrize(
    ("dream", "worse"), [((0.1, 0, 0), [1]), ((0, 0, 0.1), [10]), ((0, 0.1, 0.1), [5, 10]), ((-0.1, -0.1, 0), [])]
)
def test_who_dreams_worse_at_any_horizon_does_not_win_however_fast(dream, worse):
    noise = np.random.default_rng(2).normal(scale=0.2, size=(CONFIG.episodes, 3))
    found = compare(measured(settle=-5, dream=dream + noise * (np.array(dream) != 0)), measured(), CONFIG)
    assert found.worse_dreams == worse
    assert found.won == (not worse)


def test_a_dream_that_is_worse_by_luck_alone_is_no_worse():
    noise = np.random.default_rng(3).normal(loc=0.005, scale=0.2, size=(CONFIG.episodes, 3))
    assert compare(measured(settle=-5, dream=noise), measured(), CONFIG).won


def test_of_two_that_are_the_same_none_wins():
    assert not compare(measured(), measured(), CONFIG).won


def test_two_of_the_same_skill_are_seldom_told_apart():
    draw = np.random.default_rng(4)
    wins = [compare(measured(settle=draw.normal(size=200)), measured(), CONFIG).won for _ in range(200)]
    assert sum(wins) <= 12, "one in forty by the interval, and no more than chance allows"


@pytest.mark.parametrize(("horizon", "compared"), [(1, [1]), (4, [1]), (5, [1, 5]), (6, [1, 5]), (10, [1, 5, 10])])
def test_dreams_are_compared_as_far_as_they_are_evaluated(horizon, compared):
    assert horizons_of(EvaluationConfig(horizon=horizon)) == compared


def test_what_is_compared_are_the_figures_of_the_evaluation(learned, world):
    config = EvaluationConfig(episodes=5, horizon=5, timesteps=12)
    weights = learned.model, learned.policy
    found, figures = measure(*weights, world, config), evaluate(*weights, world, config)
    assert found.settle.mean() == figures["goal_reaching"]["controllers"]["policy"]["settle_frames_mean"]
    (dream,) = (one for one in figures["dream"] if (one["set"], one["context"]) == ("evaluation", 3))
    errors = dream["centroid_error_px"]["mean"]
    assert found.dream.mean(axis=0) == pytest.approx([errors[0], errors[4]], rel=1e-5)
