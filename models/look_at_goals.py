"""What is looked at while the policy trains: validation goals on the true simulator, from which nothing is learned."""

import numpy as np
import torch

from models.dream_figures import dream_logits
from models.goal_figures import drive_policy
from models.look_at_dreams import FILMED, film_strip
from models.phase import Film
from models.policy import Policy
from models.process import on_processor
from models.world_model import WorldModel
from sim_core.drive import settle_frames
from sim_core.episodes import random_goals
from sim_core.raster import render
from sim_core.world import World

GOALS, TIMESTEPS = 16, 20


def look_at_goals(model: WorldModel, policy: Policy, world: World, seed: int) -> tuple[dict[str, float], Film]:
    """How near the policy gets (px), whether and when (frames) it settles, and a film of it.

    Green is reality, blue the target, and red a dream, of the same forces from the first observation on.
    """
    model, policy = on_processor(model), on_processor(policy)
    start, target = random_goals("validation", range(GOALS), world, seed)
    goals = render(target, world)
    positions, forces = drive_policy(model, policy, start, goals, TIMESTEPS, world)
    distance = np.linalg.norm(positions[:, 1:] - target[:, None, None], axis=-1).reshape(GOALS, -1)
    settle = settle_frames(distance)
    figures = {
        "validation_goal_px": distance[:, -1].mean().item(),
        "validation_settled": (settle < distance.shape[1]).mean().item(),
        "validation_settle_frames": settle.mean().item(),
    }
    truth = render(positions[:FILMED], world)
    dream = np.zeros_like(truth)
    dream[:, 1:] = torch.sigmoid(dream_logits(model, truth[:, :1], forces[:FILMED])).numpy()
    still = goals[:FILMED, None].repeat(TIMESTEPS + 1, axis=1)
    return figures, film_strip(dream[:, :, -1], truth[:, :, -1], still)
