"""How sure a figure is: 95 % bootstrap intervals over episodes (Efron 1979)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

RESAMPLES = 1000
BOUNDS = (2.5, 97.5)  # percentiles
WORST = 3  # episodes that are named for having gone worst


def bootstrap(
    values: Float[np.ndarray, "episodes *parts"] | Bool[np.ndarray, "episodes *parts"], statistic: Callable[..., Any]
) -> tuple[float, list[float]]:
    """A figure and its interval. `statistic(values, axis=1)` makes it of the episodes along that axis."""
    low, high = np.percentile(statistic(values[_resamples(len(values))], axis=1), BOUNDS)
    return float(statistic(values[None], axis=1)[0]), [float(low), float(high)]


def bootstrap_means(
    values: Float[np.ndarray, "episodes figures"],
) -> tuple[Float[np.ndarray, " figures"], Float[np.ndarray, "figures 2"]]:
    """Means of many figures and their intervals. NaN is left out; where nothing else is there the mean is NaN."""
    episodes, known = len(values), np.isfinite(values)
    weights = np.stack([np.bincount(row, minlength=episodes) for row in _resamples(episodes)])
    weights = np.concatenate([np.ones((1, episodes)), weights])
    with np.errstate(invalid="ignore"):
        means = (weights @ np.where(known, values, 0)) / (weights @ known)
    intervals = np.full((values.shape[1], 2), np.nan)
    some = known.any(axis=0)
    intervals[some] = np.nanpercentile(means[1:, some], BOUNDS, axis=0).T
    return means[0], intervals


def worst(distance: Float[np.ndarray, " episodes"]) -> dict[str, list]:
    """The few episodes with the largest distances, the largest first: {"episode": [int], "px": [float]}."""
    largest = np.argsort(-distance, kind="stable")[:WORST]
    return {"episode": largest.tolist(), "px": distance[largest].tolist()}


def _resamples(episodes: int) -> Int[np.ndarray, "resamples episodes"]:
    """Episodes drawn with replacement, the same for every figure of as many episodes."""
    return np.random.default_rng(0).integers(episodes, size=(RESAMPLES, episodes))
