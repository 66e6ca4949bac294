"""Random episodes and goals in five sets: episode i depends on its set, the seed and i alone, however one slices."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Shaped

from sim_core.raster import render
from sim_core.world import State, World, simulate

SETS = ("training", "validation", "evaluation", "audit", "as_the_original")

# Start velocity per axis, px/frame.
START_VELOCITY = {
    "training": (-2, 2),
    "validation": (-1, 1),
    "evaluation": (-1, 1),
    "audit": (-1, 1),
    "as_the_original": (0, 1),
}
# What judges a run must not change with the run's seed.
_SEEDED = ("training", "validation")
_FIXED_SEED = 0

_BLOCK = 256  # episodes drawn by one generator; another number would be other episodes
_EPISODES, _GOALS = 0, 1  # streams of a set


@dataclass(frozen=True)
class Episodes:
    """What was pushed and where the block truly was; `forces[:, t]` acts during the frames of timestep t."""

    forces: Float32[np.ndarray, "n time 2"]
    positions: Float64[np.ndarray, "n time frames 2"]  # px
    velocities: Float64[np.ndarray, "n time frames 2"]  # px/frame

    def observations(self, world: World, dtype=np.float32) -> Shaped[np.ndarray, "n time frames h w"]:
        """The rendered frames: float32 0..1 or uint8 0..255."""
        return render(self.positions, world, dtype)


def random_episodes(
    which: str, indices: range, timesteps: int, world: World, seed: int = 0, original_share: float = 0
) -> Episodes:
    """Episodes `indices` of a set: one timestep and `timesteps` more. A longer episode begins like a shorter one.

    Only training and validation depend on `seed`. A share of the training set may start and be pushed as the
    original's: whole pixels hide so much that what a dream can know depends on what is usual.

    Raises:
        ValueError: no such set, or an index, a number of timesteps or a seed below 0.
    """
    if timesteps < 0:
        raise ValueError(f"timesteps must be at least 0, got {timesteps}")
    draws = _uniform(which, _EPISODES, indices, seed, 6 + 3 * (timesteps + 1))
    changes = draws[:, 6:].reshape(len(indices), timesteps + 1, 3)
    start, forces = _start(which, draws[:, :4], world), _forces(which, draws[:, 4:6], changes)
    if which == "training":
        # What is left of the draw that chose the mix is as good as a draw of its own.
        alike = ((3 * draws[:, 4]) % 1 < original_share)[:, None]
        other = _start("as_the_original", draws[:, :4], world)
        start = State(start.position, np.where(alike, other.velocity, start.velocity))
        forces = np.where(alike[..., None], _forces("as_the_original", draws[:, 4:6], changes), forces)
    positions, velocities = simulate(start, forces, world)
    return Episodes(forces, positions, velocities)


def random_goals(which: str, indices: range, world: World, seed: int = 0) -> tuple[State, Float[np.ndarray, "n 2"]]:
    """Start states and target positions (px) `indices` of a set; arguments and errors as in `random_episodes`."""
    draws = _uniform(which, _GOALS, indices, seed, 6)
    return _start(which, draws[:, :4], world), world.low + (world.high - world.low) * draws[:, 4:]


def _uniform(which: str, stream: int, indices: range, seed: int, columns: int) -> Float64[np.ndarray, "n columns"]:
    """Numbers in [0, 1), a row per episode. More columns only add columns."""
    if which not in SETS:
        raise ValueError(f"a set of episodes is one of {', '.join(SETS)}, got {which!r}")
    if indices.step != 1 or indices.start < 0:
        raise ValueError(f"indices must be a range from 0 or above in steps of 1, got {indices}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    entropy = seed if which in _SEEDED else _FIXED_SEED
    first, last = indices.start // _BLOCK, -(-indices.stop // _BLOCK)
    draws = np.empty((max(last - first, 0), _BLOCK, columns))
    for block, rows in enumerate(draws, first):
        sequence = np.random.SeedSequence(entropy, spawn_key=(SETS.index(which), stream, block))
        rows[:] = np.random.default_rng(sequence).random((columns, _BLOCK)).T
    skipped = indices.start - first * _BLOCK
    return draws.reshape(-1, columns)[skipped : skipped + len(indices)]


def _start(which: str, draws: Float64[np.ndarray, "n 4"], world: World) -> State:
    low, high = START_VELOCITY[which]
    return State(world.low + (world.high - world.low) * draws[:, :2], low + (high - low) * draws[:, 2:])


def _forces(
    which: str, kind: Float64[np.ndarray, "n 2"], draws: Float64[np.ndarray, "n time 3"]
) -> Float32[np.ndarray, "n time 2"]:
    """Forces of a set. `kind` chooses the episode's mix; `draws` has two components and a change for each timestep."""
    forces = 2 * draws[..., :2] - 1
    if which == "as_the_original":
        forces /= 2
    if which == "training":
        # Five full-thrust timesteps, a policy's way, leave what independent forces reach by 2 to 3 sigma. So a third of
        # the episodes each are independent, held, and bang-bang (with a component at rest one time in ten).
        mix = np.floor(3 * kind[:, 0])
        bang = np.where(np.abs(forces) < 0.1, 0, np.sign(forces))
        forces = np.where((mix == 2)[:, None, None], bang, forces)
        change = draws[..., 2] < np.where(mix == 0, 1, 0.1 + 0.4 * kind[:, 1])[:, None]  # held for 2 to 10 timesteps
        since = np.maximum.accumulate(np.where(change, np.arange(change.shape[1]), 0), axis=1)
        forces = np.take_along_axis(forces, since[..., None], axis=1)
    return forces.astype(np.float32)
