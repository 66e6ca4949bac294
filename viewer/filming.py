"""What is filmed of weights: the first evaluation episodes, dreamed on, and their targets, pursued."""

import numpy as np
from jaxtyping import UInt8

from models.dream_figures import dream_frames
from models.goal_figures import goal_frames
from models.policy import Policy
from models.world_model import WorldModel
from sim_core.world import World
from viewer.films import dream_film, policy_film

FILMED = range(6)  # of the evaluation episodes
CONTEXT = 3  # timesteps that a dream begins with
FRAMES_PER_SECOND = 20

Film = UInt8[np.ndarray, "frames height width 3"]


def film_of_model(model: WorldModel, world: World, horizon: int) -> Film:
    """Dreams of `horizon` timesteps beside the truth."""
    truth, dream = dream_frames(model, world, "evaluation", FILMED, CONTEXT, horizon)
    return dream_film(truth, dream, CONTEXT)


def film_of_policy(model: WorldModel, policy: Policy, world: World, timesteps: int) -> Film:
    """The policy driving the simulator, with what the model imagined one timestep ahead, and the targets."""
    return policy_film(*goal_frames(model, policy, world, "evaluation", FILMED, timesteps))
