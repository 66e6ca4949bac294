"""The eye: frames of the block, by pixel coverage as a camera would see it, or rounded to whole pixels."""

import functools

import numpy as np
from jaxtyping import Float, Shaped

from sim_core.world import World


def render(position: Float[np.ndarray, "*batch 2"], world: World, dtype=np.float32) -> Shaped[np.ndarray, "*batch h w"]:
    """Frames of blocks at `position` (px): rows are y, columns are x.

    A pixel's value is its covered area, with `raster="pixel"` of the block moved to the nearest whole pixels.
    float32 frames are 0..1; uint8 frames are 0..255, rounded.

    Raises:
        ValueError: a position is beyond a wall.
    """
    if position.size and not world.low <= position.min() <= position.max() <= world.high:  # NaN fails too
        raise ValueError(
            f"every position must be within [{world.low}, {world.high}], got {position.min()} to {position.max()}"
        )
    corner = rendered_centre(position, world) - world.low
    if world.raster == "pixel":
        column, row = np.moveaxis(corner.astype(np.intp), -1, 0)
        return _templates(world, np.dtype(dtype)).take(row * (world.size - world.block + 1) + column, axis=0)
    return _paint(corner.reshape(-1, 2), world, dtype).reshape(*corner.shape[:-1], world.size, world.size)


def rendered_centre(position: Float[np.ndarray, "*batch 2"], world: World) -> Float[np.ndarray, "*batch 2"]:
    """The centre (px) that a perfect eye would find in the frame of a block at `position` (px)."""
    if world.raster == "pixel":
        return np.rint(position - world.low) + world.low
    return position


@functools.lru_cache
def _templates(world: World, dtype: np.dtype) -> Shaped[np.ndarray, "corners h w"]:
    """Every frame of whole pixels, row of corners by row: copying one is several times as fast as painting it."""
    row, column = np.divmod(np.arange((world.size - world.block + 1) ** 2), world.size - world.block + 1)
    return _paint(np.stack([column, row], axis=-1), world, dtype)


def _paint(corner: Shaped[np.ndarray, "n 2"], world: World, dtype) -> Shaped[np.ndarray, "n h w"]:
    """Frames of blocks whose low corner lies at `corner` (px)."""
    # Along each axis the block covers block + 1 pixels, the first and the last of them in part.
    first = np.minimum(corner.astype(np.intp), world.size - world.block - 1)
    spill = (corner - first).astype(np.float32)
    span = np.ones((len(corner), 2, world.block + 1), np.float32)
    span[..., 0] -= spill
    span[..., -1] = spill
    patch = span[:, 1, :, None] * span[:, 0, None, :]
    frames = np.zeros((len(corner), world.size, world.size), dtype)
    windows = np.lib.stride_tricks.sliding_window_view(frames, patch.shape[1:], axis=(1, 2), writeable=True)
    windows[np.arange(len(corner)), first[:, 1], first[:, 0]] = np.rint(255 * patch) if dtype == np.uint8 else patch
    return frames
