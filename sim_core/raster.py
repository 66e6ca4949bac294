"""The eye: frames of the block, by pixel coverage as a camera would see it, or rounded to whole pixels."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from sim_core.world import World


def render(
    position: Float[np.ndarray, "*batch 2"],
    world: World,
    dtype=np.float32,
    out: Shaped[np.ndarray, "*batch h w"] | None = None,
) -> Shaped[np.ndarray, "*batch h w"]:
    """Frames of blocks at `position` (px): rows are y, columns are x.

    A pixel's value is its covered area, with `raster="pixel"` of the block moved to the nearest whole pixels.
    float32 frames are 0..1; uint8 frames are 0..255, rounded.

    Args:
        out: where to write the frames, contiguous and of `dtype`. Without it they get memory of their own, which for
            many frames costs as much again.

    Raises:
        ValueError: a position is beyond a wall, or `out` is not made for these frames.
    """
    shape = (*position.shape[:-1], world.size, world.size)
    position = _in_order(position)
    if position.size and not world.low <= position.min() <= position.max() <= world.high:  # NaN fails too
        raise ValueError(
            f"every position must be within [{world.low}, {world.high}], got {position.min()} to {position.max()}"
        )
    if out is not None and not (out.shape == shape and out.dtype == dtype and out.flags.c_contiguous):
        raise ValueError(
            f"out must be a contiguous array of {np.dtype(dtype)} {shape}, got one of {out.dtype} {out.shape}"
        )
    frames = np.zeros(shape, dtype) if out is None else out
    if out is not None:
        out.fill(0)
    corner = position - world.low
    if world.raster == "pixel":
        _stamp(np.rint(corner, out=corner).astype(np.int32), world, frames)
    else:
        _paint(corner, world, frames)
    return frames


def rendered_centre(position: Float[np.ndarray, "*batch 2"], world: World) -> Float[np.ndarray, "*batch 2"]:
    """The centre (px) that a perfect eye would find in the frame of a block at `position` (px)."""
    if world.raster == "pixel":
        return np.rint(position - world.low) + world.low
    return position


def _in_order(position: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "n 2"]:
    """Block by block: the simulator's output lies time first. Moved in pairs, for number by number takes four times
    as long.
    """
    if position.ndim <= 2 or position.strides[-1] != position.itemsize:
        return position.reshape(-1, 2)  # of few axes without a copy
    pairs = position.view(np.dtype((np.void, 2 * position.itemsize)))
    return np.ascontiguousarray(pairs).view(position.dtype).reshape(-1, 2)


# What is written are runs of pixels, each as one item: several times as fast as pixel by pixel.


def _stamp(corner: Int[np.ndarray, "n 2"], world: World, frames: Shaped[np.ndarray, "*batch h w"]) -> None:
    """Blocks of whole pixels, each into a frame of its own, contiguous and black."""
    # From the first of its pixels to the last, a block is the same run wherever it is.
    run = np.zeros((world.block, world.size), frames.dtype)
    run[:, : world.block] = 255 if frames.dtype == np.uint8 else 1
    length = run.size - world.size + world.block
    _runs(frames, length)[_starts(corner, world)] = _runs(run, length)[0]


def _paint(corner: Float[np.ndarray, "n 2"], world: World, frames: Shaped[np.ndarray, "*batch h w"]) -> None:
    """Blocks anywhere, each into a frame of its own, contiguous and black."""
    # Along each axis the block covers block + 1 pixels, the first and the last of them in part.
    width = world.block + 1
    first = np.minimum(corner.astype(np.intp), world.size - width)
    spill = (corner - first).astype(np.float32)
    span = np.ones((len(corner), 2, width), np.float32)
    span[..., 0] -= spill
    span[..., -1] = spill
    patch = span[:, 1, :, None] * span[:, 0, None, :]
    if frames.dtype == np.uint8:
        patch = np.rint(255 * patch)
    runs = _runs(patch.astype(frames.dtype, copy=False), width, every=width).reshape(-1, width)
    _runs(frames, width)[_starts(first, world)[:, None] + world.size * np.arange(width)] = runs


def _starts(corner: Int[np.ndarray, "n 2"], world: World) -> Int[np.ndarray, " n"]:
    """Where in the pixels of all frames the first of each block is, which is the corner of a frame of its own."""
    frame = world.size**2
    start = np.arange(0, len(corner) * frame, frame)
    start += world.size * corner[:, 1]
    start += corner[:, 0]
    return start


def _runs(pixels: Shaped[np.ndarray, "..."], length: int, every: int = 1) -> Shaped[np.ndarray, " runs"]:
    """A contiguous array's runs of `length` pixels, one beginning at each `every` pixels, as items of one number."""
    item = np.dtype((np.void, length * pixels.itemsize))
    return np.ndarray((pixels.size - length) // every + 1, item, pixels, strides=every * pixels.itemsize)
