"""Goal-reaching on the true simulator: any controller drives the block, and how soon it settles."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float32, Float64

from sim_core.world import State, World, simulate

# What settling means: this many frames in a row within so many px of the target.
RUN = 20
RADIUS = 2.0

# (t, state, positions of the timesteps 0 to t) -> the force [n, 2] of timestep t + 1
ChooseForce = Callable[[int, State, Float64[np.ndarray, "n time frames 2"]], Float[np.ndarray, "n 2"]]


def drive(
    start: State, choose_force: ChooseForce, timesteps: int, world: World
) -> tuple[Float64[np.ndarray, "n time frames 2"], Float32[np.ndarray, "n time 2"]]:
    """Positions (px) and forces of `1 + timesteps` timesteps.

    Nothing pushes during timestep 0, so that a controller that sees frames has an observation to begin with;
    `choose_force` then gives the force of each next timestep.
    """
    n = len(start.position)
    forces = np.zeros((n, timesteps + 1, 2), np.float32)
    positions = np.empty((n, timesteps + 1, world.frames, 2))
    state = start
    for t in range(timesteps + 1):
        if t:
            forces[:, t] = choose_force(t - 1, state, positions[:, :t])
        moved, velocities = simulate(state, forces[:, t : t + 1], world)
        positions[:, t] = moved[:, 0]
        state = State(moved[:, 0, -1], velocities[:, 0, -1])
    return positions, forces


def settle_frames(
    distance: Float[np.ndarray, "n frames"], radius: float = RADIUS, run: int = RUN
) -> Float64[np.ndarray, " n"]:
    """The first frame (from 1) of `run` in a row within `radius` px of the target; the number of frames without one."""
    frames = distance.shape[1]
    if frames < run:
        return np.full(len(distance), float(frames))
    settled = np.all(np.lib.stride_tricks.sliding_window_view(distance <= radius, run, axis=1), axis=-1)
    return np.where(settled.any(axis=1), settled.argmax(axis=1) + 1.0, frames)
