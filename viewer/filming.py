"""What is filmed of weights: dreams of evaluation episodes beside the truth, and the policy on its way to targets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from models.dream_figures import dream_frames
from models.goal_figures import goal_frames
from models.policy import Policy
from models.world_model import WorldModel
from sim_core.world import World
from viewer.films import LARGE, SMALL, dream_film, policy_film

FILMED = range(6)  # the first of the evaluation's episodes, whatever they show
CONTEXT = 3  # timesteps that a dream begins with

Film = UInt8[np.ndarray, "frames height width 3"]


def film_of_model(model: WorldModel, world: World, horizon: int, episodes: range = FILMED, across: int = LARGE) -> Film:
    """Dreams of `horizon` timesteps beside the truth."""
    truth, dream = dream_frames(model, world, "evaluation", episodes, CONTEXT, horizon)
    return dream_film(truth, dream, CONTEXT, across)


def film_of_policy(
    model: WorldModel, policy: Policy, world: World, timesteps: int, episodes: range = FILMED, across: int = LARGE
) -> Film:
    """The policy driving the simulator, with what the model imagined one timestep ahead, and the targets."""
    return policy_film(*goal_frames(model, policy, world, "evaluation", episodes, timesteps), across)


def films_of_worst_dreams(model: WorldModel, world: World, evaluation: Mapping[str, Any]) -> dict[str, Film]:
    """The dreams that the evaluation names as its worst, by what is to be said of each."""
    (dream,) = (d for d in evaluation["dream"] if (d["set"], d["context"]) == ("evaluation", CONTEXT))
    return {
        f"Dream of episode {episode}: {px:.1f} px off": film_of_model(
            model, world, len(dream["horizon"]), range(episode, episode + 1), SMALL
        )
        for episode, px in zip(*dream["worst"].values(), strict=True)
    }


def films_of_worst_goals(
    model: WorldModel, policy: Policy, world: World, evaluation: Mapping[str, Any]
) -> dict[str, Film]:
    """The goals that the evaluation names as the policy's worst, by what is to be said of each."""
    goals = evaluation["goal_reaching"]
    return {
        f"Goal {episode}: {px:.2f} px away": film_of_policy(
            model, policy, world, goals["timesteps"], range(episode, episode + 1), SMALL
        )
        for episode, px in zip(*goals["controllers"]["policy"]["worst"].values(), strict=True)
    }
