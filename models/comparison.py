"""Which of two pairs of weights is better: paired, on the same evaluation episodes.

Their episodes differ far more from each other than the two do on any of them, so what is resampled are the differences.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from models.config import EvaluationConfig
from models.dream_figures import dream_errors
from models.goal_figures import policy_settling
from models.policy import Policy
from models.statistics import bootstrap
from models.world_model import WorldModel
from sim_core.world import World

SET = "evaluation"
CONTEXT = 3  # observations before a dream
HORIZONS = (1, 5, 10)  # timesteps, at which dreams are compared


class Measured(NamedTuple):
    """What is compared, by episode."""

    settle: Float[np.ndarray, " episodes"]  # frames to the target
    dream: Float[np.ndarray, "episodes horizon"]  # px, at those of HORIZONS that were asked for


@dataclass(frozen=True)
class Difference:
    """By how much less the challenger has than the champion, with its 95 % interval; more is better."""

    challenger: float
    champion: float
    less: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """A challenger beside a champion.

    Attributes:
        settle: frames to settle.
        dream: px, by horizon.
    """

    settle: Difference
    dream: dict[int, Difference]

    @property
    def faster(self) -> bool:
        """Whether it settles sooner, and that is no luck of these episodes: the whole interval says so."""
        return self.settle.low > 0

    @property
    def worse_dreams(self) -> list[int]:
        """The horizons at which it dreams worse, and that is no luck of these episodes."""
        return [horizon for horizon, difference in self.dream.items() if difference.high < 0]

    @property
    def won(self) -> bool:
        return self.faster and not self.worse_dreams


def measure(model: WorldModel, policy: Policy, world: World, config: EvaluationConfig) -> Measured:
    """A pair of weights on the episodes that it is judged on."""
    settle = policy_settling(model, policy, world, SET, config.episodes, config.timesteps)
    horizons = horizons_of(config)
    errors = dream_errors(model, world, SET, config.episodes, CONTEXT, horizons[-1])
    return Measured(settle, errors[:, np.array(horizons) - 1])


def compare(challenger: Measured, champion: Measured, config: EvaluationConfig) -> Comparison:
    """Two that were measured on the same episodes."""
    dreams = zip(horizons_of(config), challenger.dream.T, champion.dream.T, strict=True)
    return Comparison(
        _difference(challenger.settle, champion.settle),
        {horizon: _difference(ours, theirs) for horizon, ours, theirs in dreams},
    )


def horizons_of(config: EvaluationConfig) -> list[int]:
    """Those of HORIZONS that are evaluated at all."""
    return [horizon for horizon in HORIZONS if horizon <= config.horizon]


def _difference(ours: Float[np.ndarray, " episodes"], theirs: Float[np.ndarray, " episodes"]) -> Difference:
    less, (low, high) = bootstrap(theirs - ours, np.mean)
    return Difference(float(ours.mean()), float(theirs.mean()), less, low, high)
