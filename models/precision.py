"""How precise a dream is: the noise in the start from which the exact simulator is as wrong.

The world is chaotic, so that an error alone says little of the model that made it. Both are looked at with the same
eye, to which a perfect frame is wrong by .05 px too.
"""

import numpy as np
from jaxtyping import Float, Float64

from models.eye import seen_centre
from sim_core.episodes import Episodes
from sim_core.world import State, World, simulate

SIGMAS = np.geomspace(0.001, 4.096, 13)  # px, each twice the one before
DRAWS = 4  # of the noise, per episode


def precision(
    error: Float[np.ndarray, " horizon"], episodes: Episodes, context: int, world: World
) -> Float64[np.ndarray, " horizon"]:
    """The noise sigma (px) that stands for a mean error (px) of dreams of these episodes.

    NaN outside of the ladder, and for whole-pixel frames, whose own noise is larger than a model's.
    """
    if world.raster == "pixel":
        return np.full(len(error), np.nan)
    ladder = noisy_errors(SIGMAS, episodes, context, world)
    # More noise is not less error, but for the luck of the draw.
    ladder = np.maximum.accumulate(ladder, axis=0)
    sigma = [
        np.interp(np.log(mean), np.log(rung), np.log(SIGMAS), left=np.nan, right=np.nan)
        for mean, rung in zip(error, ladder.T, strict=True)
    ]
    return np.exp(sigma)


def noisy_errors(
    sigmas: Float[np.ndarray, " sigmas"], episodes: Episodes, context: int, world: World, seed: int = 0
) -> Float64[np.ndarray, "sigmas horizon"]:
    """Mean error (px) by horizon of the exact simulator. It is the same noise for every sigma, only larger."""
    errors = (exact_errors(sigma, episodes, context, world, DRAWS, seed) for sigma in sigmas)
    return np.stack([error.mean(axis=(0, 1)) for error in errors])


def exact_errors(
    sigma: float, episodes: Episodes, context: int, world: World, draws: int, seed: int = 0
) -> Float64[np.ndarray, "draws episodes horizon"]:
    """Errors (px) of the exact simulator's frames, means over those of a timestep.

    It is started from the true state at the end of the context plus Gaussian noise of sigma px and sigma / 2 px/frame;
    a start beyond a wall is moved onto it.
    """
    position, velocity = episodes.positions[:, context - 1, -1], episodes.velocities[:, context - 1, -1]
    forces, truth = episodes.forces[:, context:], episodes.positions[:, context:]
    noise = np.random.default_rng(seed).standard_normal((2, draws, *position.shape))
    start = State(np.clip(position + sigma * noise[0], world.low, world.high), velocity + sigma / 2 * noise[1])
    imagined, _ = simulate(start, np.broadcast_to(forces, (draws, *forces.shape)), world)
    return np.linalg.norm(seen_centre(imagined, world) - truth, axis=-1).mean(axis=-1)
