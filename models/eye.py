"""Where a block is seen in a frame: the centroid of what is brighter than the background."""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sim_core.raster import render, rendered_centre
from sim_core.world import World

VISIBLE = 0.1  # pixel values up to here are background
PHASES = 64  # places in a pixel, along each axis, that are told apart


def centroid(frames: Float[Tensor, "*batch h w"]) -> Float[Tensor, "*batch 2"]:
    """The centroid (px) of what is visible; NaN where nothing is."""
    return centre_of_mass(torch.relu(frames - VISIBLE))


def centre_of_mass(frames: Float[Tensor, "*batch h w"], empty: float = 0.0) -> Float[Tensor, "*batch 2"]:
    """The centroid (px) of all mass: NaN of a frame without any, unless it counts as one of mass `empty`."""
    columns, rows = frames.sum(-2), frames.sum(-1)
    pixels = torch.arange(frames.shape[-1], dtype=frames.dtype, device=frames.device) + 0.5
    return torch.stack([columns @ pixels, rows @ pixels], -1) / (rows.sum(-1)[..., None] + empty)


def seen_centre(position: Float[np.ndarray, "*batch 2"], world: World) -> Float[np.ndarray, "*batch 2"]:
    """Where the centroid of the frame of a block at `position` (px) lies, to a hundredth of a pixel and without bias.

    Of frames by coverage not where the block is: what is cut off at `VISIBLE` lies more to one side, by .05 px on
    average.
    """
    phase = ((position - world.low) * PHASES).astype(int) % PHASES
    return rendered_centre(position, world) + _displacements(world)[phase[..., 0], phase[..., 1]]


@cache
def _displacements(world: World) -> Float[np.ndarray, "phases phases 2"]:
    """By where in its pixel a block is, how far its centroid is seen from its centre (px)."""
    phase = world.low + (np.arange(PHASES) + 0.5) / PHASES
    position = np.stack(np.meshgrid(phase, phase, indexing="ij"), -1).astype(np.float32)
    return centroid(torch.from_numpy(render(position, world))).numpy() - rendered_centre(position, world)
