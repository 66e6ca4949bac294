"""The physics: a block in a closed square, pushed by a force that is held for one timestep."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

RASTERS = ("coverage", "pixel")


@dataclass(frozen=True)
class World:
    """The world's constants.

    Raises:
        ValueError: a constant is out of its range.
    """

    size: int = 32  # px, height and width of a frame
    block: int = 4  # px, the block's side
    frames: int = 4  # frames per timestep
    force: float = 0.25  # px/frame², the acceleration at force 1
    drag: float = 0.01  # share of the velocity that is lost per frame
    raster: str = "coverage"  # "pixel" rounds to whole pixels and hides the sub-pixel state

    def __post_init__(self):
        for name in ("size", "block", "frames"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.block >= self.size:
            raise ValueError(f"block must be smaller than size ({self.size}), got {self.block}")
        if not 0 < self.force <= self.size:
            raise ValueError(f"force must be above 0 and at most size ({self.size}), got {self.force!r}")
        if not 0 <= self.drag < 1:
            raise ValueError(f"drag must be at least 0 and below 1, got {self.drag!r}")
        if self.raster not in RASTERS:
            raise ValueError(f"raster must be one of {', '.join(RASTERS)}, got {self.raster!r}")

    @property
    def low(self) -> float:
        """The least coordinate of the block's centre, px."""
        return self.block / 2

    @property
    def high(self) -> float:
        """The greatest coordinate of the block's centre, px."""
        return self.size - self.block / 2


class State(NamedTuple):
    """True position of the block's centre (px) and velocity (px/frame); index 0 is x, the column, 1 is y, the row."""

    position: Float[np.ndarray, "*batch 2"]
    velocity: Float[np.ndarray, "*batch 2"]


def step(state: State, force: Float[np.ndarray, "*#batch 2"], world: World) -> State:
    """One frame: `v = v + 0.25 f - 0.01 v`, `x = x + v`, and beyond a wall at w `x = 2w - x`, `v = -v` until inside.

    Raises:
        ValueError: a force is not within [-1, 1].
    """
    _check(state, force)
    before = State(np.asarray(state.position, np.float64), np.asarray(state.velocity, np.float64))
    after = State(np.empty_like(before.position), np.empty_like(before.velocity))
    _advance(before, np.multiply(force, world.force, dtype=np.float64), world, after)
    return after


def simulate(
    state: State, forces: Float[np.ndarray, "*batch time 2"], world: World
) -> tuple[Float[np.ndarray, "*batch time frames 2"], Float[np.ndarray, "*batch time frames 2"]]:
    """Positions (px) and velocities (px/frame) of every frame while each force is held for `world.frames` frames.

    Raises:
        ValueError: a force is not within [-1, 1].
    """
    *batch, time, axes = forces.shape
    if not batch:
        return _simulate_one(state, forces, world)
    _check(state, forces)
    # Time first, so that every frame is written in place and contiguous; one array, for which malloc goes to the system
    # less often than for two.
    track = np.empty((2, time, world.frames, *batch, axes))
    positions, velocities = track
    state = State(np.asarray(state.position, np.float64), np.asarray(state.velocity, np.float64))
    for t in range(time):
        push = np.multiply(forces[..., t, :], world.force, dtype=np.float64)
        for frame in range(world.frames):
            after = State(positions[t, frame], velocities[t, frame])
            _advance(state, push, world, after)
            state = after
    batch_first = (*range(2, 2 + len(batch)), 0, 1, -1)
    return positions.transpose(batch_first), velocities.transpose(batch_first)


def _advance(state: State, push: np.ndarray, world: World, after: State) -> None:
    """One frame, written into the arrays of `after`. `push` is the acceleration, px/frame²."""
    position, velocity = after
    lost = np.multiply(state.velocity, world.drag, out=position)
    np.subtract(np.add(state.velocity, push, out=velocity), lost, out=velocity)
    np.add(state.position, velocity, out=position)
    low, high = world.low, world.high
    x, v = position.reshape(-1), velocity.reshape(-1)  # views
    (beyond,) = ((x < low) | (x > high)).nonzero()
    while beyond.size:
        outside = x[beyond]
        inside = 2 * np.minimum(np.maximum(outside, low), high) - outside  # clipped, it is at the wall
        x[beyond] = inside
        v[beyond] = -v[beyond]
        beyond = beyond[(inside < low) | (inside > high)]


def _simulate_one(
    state: State, forces: Float[np.ndarray, "time 2"], world: World
) -> tuple[Float[np.ndarray, "time frames 2"], Float[np.ndarray, "time frames 2"]]:
    """The same for one block, to the bit, in Python's floats: several times as fast as arrays of two numbers."""
    pushes = forces.tolist()
    start = (*np.asarray(state.position).tolist(), *np.asarray(state.velocity).tolist())
    if not (all(-1 <= x <= 1 and -1 <= y <= 1 for x, y in pushes) and all(map(math.isfinite, start))):
        _check(state, forces)
    x, y, velocity_x, velocity_y = start
    low, high, drag = world.low, world.high, world.drag
    track: list[float] = []
    for force_x, force_y in pushes:
        for _ in range(world.frames):
            x, velocity_x = _advance_axis(x, velocity_x, force_x * world.force, drag, low, high)
            y, velocity_y = _advance_axis(y, velocity_y, force_y * world.force, drag, low, high)
            track += (x, y, velocity_x, velocity_y)
    columns = np.array(track, np.float64).reshape(len(pushes), world.frames, 4)
    return columns[..., :2], columns[..., 2:]


def _advance_axis(x: float, velocity: float, push: float, drag: float, low: float, high: float) -> tuple[float, float]:
    """One frame of one axis: position (px) and velocity (px/frame). `push` is the acceleration, px/frame²."""
    velocity = velocity + push - velocity * drag
    x += velocity
    while not low <= x <= high:
        x = 2 * (low if x < low else high) - x
        velocity = -velocity
    return x, velocity


def _check(state: State, forces) -> None:
    if forces.size and not -1 <= forces.min() <= forces.max() <= 1:  # written so that NaN fails too
        raise ValueError(f"every force must be within [-1, 1], got {forces.min()} to {forces.max()}")
    if not (np.isfinite(state.position).all() and np.isfinite(state.velocity).all()):
        raise ValueError("every position and velocity must be finite")
