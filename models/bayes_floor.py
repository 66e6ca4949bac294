"""What no dream of whole-pixel frames can beat: the posterior mean of what follows, given all that the context shows.

Whole-pixel frames hide the sub-pixel state. Every start that reproduces each frame of the context is as likely as any
other; the mean over them of where the block will be has the least mean square error there is.
"""

import numpy as np
from jaxtyping import Float, Float64

from sim_core.episodes import START_VELOCITY, Episodes
from sim_core.raster import rendered_centre
from sim_core.world import State, World, simulate

GRID = 96  # starts that are tried per position and per velocity


def bayes_floor(
    episodes: Episodes, which: str, context: int, world: World
) -> Float64[np.ndarray, "episodes horizon frames"]:
    """Distance (px) of the posterior mean from the rendered centre, in each frame after the context.

    `which` is the set that the episodes are of: it gives the prior, which is uniform.
    """
    centres = rendered_centre(episodes.positions, world)
    means = [
        _posterior_mean(seen, forces, START_VELOCITY[which], world)
        for seen, forces in zip(centres[:, :context], episodes.forces, strict=True)
    ]
    return np.linalg.norm(np.stack(means) - centres[:, context:], axis=-1)


def _posterior_mean(
    seen: Float64[np.ndarray, "context frames 2"],
    forces: Float[np.ndarray, "time 2"],
    velocity: tuple[float, float],
    world: World,
) -> Float64[np.ndarray, "horizon frames 2"]:
    """The posterior mean of the rendered centres after the context of one episode."""
    # The first frame lies within half a pixel and one frame's motion of the start.
    reach = 0.5 + max(np.abs(velocity)) + world.force
    low = np.stack([np.maximum(seen[0, 0] - reach, world.low), np.full(2, velocity[0])])
    high = np.stack([np.minimum(seen[0, 0] + reach, world.high), np.full(2, velocity[1])])
    number, fits = GRID, np.zeros((1, 2), bool)
    while not fits.any(axis=0).all():
        starts, fits = _posterior(seen, forces, low, high, number, world)
        number *= 2
    positions, _ = simulate(State(*starts), np.broadcast_to(forces, (starts.shape[1], *forces.shape)), world)
    later = rendered_centre(positions[:, len(seen) :], world)
    weights = fits / fits.sum(axis=0)
    return np.einsum("stfa,sa->tfa", later, weights)


def _posterior(seen, forces, low, high, number: int, world: World):
    """Starts [position or velocity, start, axis] of a grid, and which of them [start, axis] reproduce what was seen.

    The axes are independent, so that a start's x and its y are tried at once. The box about what fits shrinks with
    every observation; a grid too coarse for what is left ends with nothing.
    """
    for shown in (1, *range(1, len(seen) + 1)):
        cell = (high - low) / number
        places = np.indices((number, number)).reshape(2, -1, 1) + 0.5
        starts = low[:, None] + places * cell[:, None]
        fits = _reproduces(seen[:shown], starts, forces, world)
        if not fits.any(axis=0).all():
            break
        low = np.maximum(low, np.where(fits, starts, np.inf).min(axis=1) - cell)
        high = np.minimum(high, np.where(fits, starts, -np.inf).max(axis=1) + cell)
    return starts, fits


def _reproduces(seen, starts, forces, world: World):
    """Which starts [start, axis] show in every frame what was seen."""
    held = np.broadcast_to(forces[: len(seen)], (starts.shape[1], len(seen), 2))
    positions, _ = simulate(State(*starts), held, world)
    return (rendered_centre(positions, world) == seen).all(axis=(1, 2))
