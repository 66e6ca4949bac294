"""The score of a pair of weights: everything that `evaluation.json` has, on audit episodes, which nothing is chosen by.

Whole-pixel dreams are held against the Bayes floor as well.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from models.bayes_floor import bayes_floor
from models.config import EvaluationConfig
from models.dream_figures import compare_dreams
from models.evaluation import evaluate
from models.policy import Policy
from models.world_model import WorldModel
from sim_core.episodes import Episodes, random_episodes
from sim_core.world import World


def score(
    model: WorldModel,
    policy: Policy,
    world: World,
    config: EvaluationConfig,
    on_progress: Callable[[int, int], None] = lambda done, parts: None,
) -> dict[str, Any]:
    """All figures, as JSON. For whole-pixel frames each entry of "dream" has two more, by horizon: `bayes_floor_px`,
    the floor's mean error, and `bayes_ratio`, of the root mean squares of the dream's error and of the floor's."""
    figures = evaluate(model, policy, world, config, on_progress, "audit")
    if world.raster == "pixel":
        for done, dream in enumerate(figures["dream"], 1):
            dream |= floor_figures(model, world, dream["set"], config, dream["context"])
            on_progress(done, len(figures["dream"]))
    return figures


def floor_figures(
    model: WorldModel, world: World, which: str, config: EvaluationConfig, context: int
) -> dict[str, list[float]]:
    """The Bayes floor and how far above it the dreams are."""
    episodes, floor = _floor(which, config.episodes, context, config.horizon, world)
    error, _ = compare_dreams(model, episodes, context, world)
    return {
        "bayes_floor_px": floor.mean(axis=(0, 2)).tolist(),
        "bayes_ratio": np.sqrt((error**2).mean(axis=(0, 2)) / (floor**2).mean(axis=(0, 2))).tolist(),
    }


@cache
def _floor(
    which: str, count: int, context: int, horizon: int, world: World
) -> tuple[Episodes, Float[np.ndarray, "episodes horizon frame"]]:
    """Episodes and the Bayes floor of each. It takes minutes, and is the same for all weights."""
    episodes = random_episodes(which, range(count), context + horizon - 1, world)
    return episodes, bayes_floor(episodes, which, context, world)
