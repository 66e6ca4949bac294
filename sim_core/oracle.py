"""The oracle: it sees the true state and settles on its target as fast as is known, by dynamic programming per axis.

The axes move independently, so one table for one axis serves both. An entry is a *reach*: the least distance from the
target within which an axis can stay for a whole run of settling, if the run begins n frames from now. With reaches a
and b of the two axes the block stays within hypot(a, b), so it can settle n frames from now when that is no more than
the radius. In each timestep the oracle finds the least such n, and among the forces that keep it attainable chooses the
one that comes closest to rest on the target. Walls count: beside one, a bounce within the circle is a brake.

The table comes from value iteration (R. Bellman, Dynamic Programming, 1957) on a grid with linear interpolation.
"""

import functools
import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, Int

from sim_core.drive import RADIUS, RUN, ChooseForce
from sim_core.world import State, World, simulate

_GAP = 0.25  # px from table to table
_FREE = round(RADIUS / _GAP) + 1  # the table for a target whose circle no wall cuts


class _Table(NamedTuple):
    """Reaches before a target with a wall behind it, `_GAP` times the first index away; px and px/frame."""

    distance: Float64[np.ndarray, " d"]  # nodes from the target; negative on this side of it
    velocity: Float64[np.ndarray, " v"]  # nodes
    reach: Float32[np.ndarray, "wall cells frames"]  # the last index is n - 1


def oracle(target: Float[np.ndarray, "n 2"], world: World) -> ChooseForce:
    """The controller that drives each block to its `target` (px)."""
    table = _table(replace(world, raster=World.raster))  # the eye changes nothing
    forces = np.linspace(-1, 1, 33)
    behind = np.where(target > world.size / 2, 1, -1)
    wall = np.where(behind > 0, world.high - target, target - world.low)
    free = wall >= RADIUS
    near = np.where(free, _FREE, wall / _GAP).astype(np.intp)
    cut = ~free
    share = (wall / _GAP - near)[cut].astype(np.float32)[:, None]

    def reach_from(distance, velocity):
        """Reaches [forces, n, 2, frames] of states [forces, n, 2], between the next nearer and farther wall."""
        side = np.where(free, np.where(distance > 0, -1, 1), behind)
        corners = _corners(table.distance, table.velocity, side * distance, side * velocity)
        reach = _interpolate(table.reach, near, corners)
        farther = _interpolate(table.reach, near[cut] + 1, [(node[:, cut], weight[:, cut]) for node, weight in corners])
        reach[:, cut] += share * (farther - reach[:, cut])
        return reach

    def choose_force(t: int, state: State, positions: Float[np.ndarray, "n time frames 2"]) -> Float[np.ndarray, "n 2"]:
        tried = np.broadcast_to(forces[:, None, None], (len(forces), *target.shape))
        start = State(*(np.broadcast_to(part, tried.shape) for part in state))
        moved, velocities = simulate(start, tried[:, :, None], world)
        offset = np.moveaxis(moved[:, :, 0] - target[:, None], 2, 3)  # [forces, n, 2, frames]
        distance, velocity = offset[..., -1], velocities[:, :, 0, -1]
        later = reach_from(distance, velocity)
        reach = np.concatenate([np.maximum(_farthest(offset), later[..., :1]), later], axis=-1)

        least = reach.min(axis=0)
        attainable = np.hypot(least[:, 0], least[:, 1]) <= RADIUS
        soonest = np.where(attainable.any(axis=1), attainable.argmax(axis=1), attainable.shape[1] - 1)[:, None, None]
        least = np.take_along_axis(least, soonest, axis=-1)[..., 0]
        room = np.sqrt(np.maximum(RADIUS**2 - least[:, ::-1] ** 2, 0)) - least
        # Only a fifth of the room that the other axis leaves is used up, since the table is not exact.
        allowed = np.take_along_axis(reach, soonest[None], axis=-1)[..., 0] <= least + np.maximum(room, 0) / 5
        unrest = distance**2 + (world.frames / 2 * velocity) ** 2
        return forces[np.where(allowed, unrest, np.inf).argmin(axis=0)]

    return choose_force


@functools.lru_cache
def _table(world: World) -> _Table:
    width = world.high - world.low
    # Nodes lie closest about rest on the target, where the last forces decide.
    distance = width * np.sinh(np.linspace(-3, math.asinh(RADIUS / width * math.sinh(3)), 128)) / math.sinh(3)
    fastest = 1.2 * math.sqrt(world.force * width)
    velocity = fastest * np.sinh(np.linspace(-2, 2, 97)) / math.sinh(2)
    # From rest to rest across the square takes half of this without drag; a start on the run outward takes longer.
    timesteps = math.ceil(4 * math.sqrt(width / world.force) / world.frames)
    walls = [*(_GAP * np.arange(_FREE)), width]
    return _Table(distance, velocity, np.stack([_reach(distance, velocity, wall, timesteps, world) for wall in walls]))


def _reach(distance, velocity, wall: float, timesteps: int, world: World) -> Float32[np.ndarray, "cells frames"]:
    """The table for one distance of the wall (px), by value iteration over the timesteps of the run, then before it."""
    wide = replace(world, size=2 * world.size)  # the other wall is out of the way
    target = wide.high - wall
    x, v = (grid[..., None, None] for grid in np.meshgrid(distance, velocity, indexing="ij"))
    # What lies beyond the wall is its mirror image, so that interpolation is right up to the wall.
    x, v = np.where(x > wall, 2 * wall - x, x), np.where(x > wall, -v, v)
    # The simulator's axes are independent, so that a state's x and y can try two forces on the same axis.
    forces = np.broadcast_to(np.linspace(-1, 1, 18).reshape(9, 2), (*x.shape[:2], 9, 2))
    start = State(target + np.broadcast_to(x, forces.shape), np.broadcast_to(v, forces.shape))
    moved, velocities = simulate(start, forces[..., None, :], wide)
    # Forces before cells, so that what is computed for all cells lies in a row.
    offset = np.swapaxes(moved[..., 0, :, :] - target, -1, -2).reshape(x.size, 18, world.frames).swapaxes(0, 1)
    after, speed = offset[..., -1], velocities[..., 0, -1, :].reshape(x.size, 18).T
    side = np.where((after > 0) & (wall > RADIUS), -1, 1)
    corners = [(node, weight[..., 0]) for node, weight in _corners(distance, velocity, side * after, side * speed)]
    farthest = np.ascontiguousarray(np.moveaxis(_farthest(offset), -1, 0))

    def attained(reach: Float32[np.ndarray, " cells"]) -> Float32[np.ndarray, "forces cells"]:
        """The reaches of where each force leads."""
        return sum(reach.take(node) * weight for node, weight in corners)

    held = np.zeros(x.size, np.float32)
    for _ in range(math.ceil(RUN / world.frames)):
        held = np.maximum(farthest[0], attained(held)).min(axis=0)
    reach = [np.maximum(frame, attained(held)).min(axis=0) for frame in farthest]
    for _ in range(timesteps - 1):
        reach += [attained(frame).min(axis=0) for frame in reach[-world.frames :]]
    return np.stack(reach, axis=-1)


def _farthest(offset: Float[np.ndarray, "*batch frames"]) -> Float32[np.ndarray, "*batch frames"]:
    """The greatest distance (px) in a frame or any later one of the timestep."""
    return np.maximum.accumulate(np.abs(offset)[..., ::-1], axis=-1)[..., ::-1].astype(np.float32)


def _corners(distance_nodes, velocity_nodes, distance, velocity):
    """The four nodes about each state, as rows of a table for one wall, and their weights."""
    i, a = _cell(distance_nodes, distance)
    j, b = _cell(velocity_nodes, velocity)
    stride = len(velocity_nodes)
    node = i * stride + j
    return (node, (1 - a) * (1 - b)), (node + 1, (1 - a) * b), (node + stride, a * (1 - b)), (node + stride + 1, a * b)


def _cell(nodes, x):
    """The node below each x and the share of the way to the next; what lies off the grid counts as its nearest end."""
    below = np.clip(np.searchsorted(nodes, x) - 1, 0, len(nodes) - 2)
    share = (x - nodes[below]) / (nodes[below + 1] - nodes[below])
    return below, np.clip(share, 0, 1).astype(np.float32)[..., None]


def _interpolate(reach: Float32[np.ndarray, "wall cells frames"], wall: Int[np.ndarray, "*walls"], corners):
    """Reaches [..., frames] of states [...] whose corners these are, from the tables of their walls."""
    rows, first = reach.reshape(-1, reach.shape[-1]), wall * reach.shape[1]
    total = 0
    for node, weight in corners:
        part = rows.take(first + node, axis=0)
        part *= weight  # in place, as long as it is near the processor
        total += part
    return total
