"""The evaluation of a world model and its policy: everything in `evaluation.json`."""

from collections.abc import Callable
from typing import Any

from models.config import EvaluationConfig
from models.dream_figures import dream_figures
from models.goal_figures import goal_reaching
from models.policy import Policy
from models.world_model import WorldModel
from sim_core.world import World

SCHEMA = 1  # rises when a key changes its meaning
SEED = 0  # what is judged on is the same whatever the run's seed: `sim_core.episodes` ignores it for these sets
CONTEXTS = (1, 3)


def evaluate(
    model: WorldModel,
    policy: Policy,
    world: World,
    config: EvaluationConfig,
    on_progress: Callable[[int, int], None] = lambda done, parts: None,
    which: str = "evaluation",
) -> dict[str, Any]:
    """All figures on a set of episodes, and of the dreams also as the original's were measured, as JSON.

    `on_progress` is told how many parts are done, and of how many, after each.
    """
    parts = [(episodes, context) for episodes in (which, "as_the_original") for context in CONTEXTS]
    dreams = []
    for episodes, context in parts:
        dreams.append(dream_figures(model, world, episodes, config.episodes, context, config.horizon))
        on_progress(len(dreams), len(parts) + 1)
    goals = goal_reaching(model, policy, world, which, config.episodes, config.timesteps)
    on_progress(len(parts) + 1, len(parts) + 1)
    return {
        "schema": SCHEMA,
        "raster": world.raster,
        "episodes": config.episodes,
        "seed": SEED,
        "dream": dreams,
        "goal_reaching": goals,
    }
