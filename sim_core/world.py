"""The physics: a block in a closed square, pushed by a force that is held for one timestep."""

import math
from dataclasses import dataclass
from functools import cached_property
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

    @cached_property
    def low(self) -> float:
        """The least coordinate of the block's centre, px."""
        return self.block / 2

    @cached_property
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
    x, v = np.asarray(state.position, np.float64), np.asarray(state.velocity, np.float64)
    after = State(np.empty_like(x), np.empty_like(v))
    _advance(x, v, np.multiply(force, world.force, dtype=np.float64), world, *after, slow=False)
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
    # Inside, and so slow that no block crosses the square within a frame; a pixel is to spare for rounding.
    speed = world.high - world.low - time * world.frames * world.force - 1
    slow = _within(state.position, world.low, world.high) and _within(state.velocity, -speed, speed)
    if not (slow and _within(forces, -1, 1)):
        _check(state, forces)
    # Time first, so that every frame is written in place and contiguous; one array, for which malloc goes to the system
    # less often than for two.
    track = np.empty((2, time, world.frames, *batch, axes))
    positions, velocities = track
    x, v = np.asarray(state.position, np.float64), np.asarray(state.velocity, np.float64)
    for t in range(time):
        push = np.multiply(forces[..., t, :], world.force, dtype=np.float64)
        for after in zip(positions[t], velocities[t], strict=True):
            _advance(x, v, push, world, *after, slow)
            x, v = after
    batch_first = (*range(2, 2 + len(batch)), 0, 1, -1)
    return positions.transpose(batch_first), velocities.transpose(batch_first)


def _advance(
    x: np.ndarray, v: np.ndarray, push: np.ndarray, world: World, x_after: np.ndarray, v_after: np.ndarray, slow: bool
) -> None:
    """One frame, written into `x_after` (px) and `v_after` (px/frame). `push` is the acceleration, px/frame².

    `slow` says that all were inside and are within one reflection of it, at the wall ahead.
    """
    lost = np.multiply(v, world.drag, x_after)
    np.add(v, push, v_after)
    np.subtract(v_after, lost, v_after)
    np.add(x, v_after, x_after)
    low, high = world.low, world.high
    x, v = x_after.reshape(-1), v_after.reshape(-1)  # views
    outside = x < low
    np.logical_or(outside, x > high, outside)
    (beyond,) = outside.nonzero()
    # They are so few that the number of calls is what matters: more than half of them are spared where all are slow.
    if slow:
        ahead = v[beyond]
        x[beyond] = np.copysign(world.size - world.block, ahead) + world.size - x[beyond]  # 2w - x, for 2w is whole
        v[beyond] = -ahead
        return
    while beyond.size:
        found = x[beyond]
        inside = 2 * np.minimum(np.maximum(found, low), high) - found  # clipped, it is at the wall
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


def _within(values: np.ndarray, least: float, greatest: float) -> bool:
    """Whether all are; NaN is not."""
    return not values.size or bool(least <= values.min() <= values.max() <= greatest)


def _check(state: State, forces) -> None:
    if not _within(forces, -1, 1):
        raise ValueError(f"every force must be within [-1, 1], got {forces.min()} to {forces.max()}")
    if not (np.isfinite(state.position).all() and np.isfinite(state.velocity).all()):
        raise ValueError("every position and velocity must be finite")
