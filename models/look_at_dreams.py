"""What is looked at while the dynamics train: dreams of validation episodes, from which nothing is learned."""

import numpy as np
from jaxtyping import Float

from models.dream_figures import dream_errors, dream_frames
from models.phase import Film
from models.process import on_processor
from models.world_model import WorldModel
from sim_core.world import World

EPISODES, HORIZONS = 50, (1, 5, 10)
FILMED = 4  # episodes, a row of the film each
GAP, GREY = 1, 0.3  # px between the frames of a film, and their colour

Frames = Float[np.ndarray, "episodes time h w"]


def look_at_dreams(model: WorldModel, world: World, seed: int) -> tuple[dict[str, float], Film]:
    """Open-loop error by horizon (px), and a film of dreams: green reality, red the dream, yellow where they agree."""
    model = on_processor(model)
    context = model.config.memory
    error = dream_errors(model, world, "validation", EPISODES, context, max(HORIZONS), seed).mean(axis=0)
    frames = dream_frames(model, world, "validation", range(FILMED), context, max(HORIZONS), seed)
    truth, dream = (each[:, :, -1] for each in frames)
    figures = {f"validation_dream_h{horizon}_px": float(error[horizon - 1]) for horizon in HORIZONS}
    return figures, film_strip(dream, truth, np.zeros_like(truth))


def film_strip(red: Frames, green: Frames, blue: Frames) -> Film:
    """One picture of several episodes: a row for each, its timesteps from left to right."""
    squares = np.stack([red, green, blue], axis=-1)
    squares = np.pad(squares, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=GREY)
    episodes, time, h, w, _ = squares.shape
    return squares.swapaxes(1, 2).reshape(episodes * h, time * w, 3)
