"""Films: reality, dream and target as RGB pictures in the original's colours, as a GIF or as PNGs."""

from io import BytesIO
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

Label = tuple[str, tuple[int, int, int]]  # a text and its colour

FRAMES_PER_SECOND = 20  # met exactly, since a GIF's clock ticks in 1/100 s

# The GIF's palette is the cube of 6 x 6 x 6 colours with this step: enough for antialiased blocks, the same for every
# frame, and a colour's index is arithmetic.
CUBE_STEP = 51
GREEN, RED, BLUE, YELLOW, WHITE = (51, 255, 51), (255, 51, 51), (102, 153, 255), (255, 255, 0), (255, 255, 255)
BACKGROUND = (51, 51, 51)

SQUARES_ACROSS = 6  # in a row of the grid, at most
LARGE, SMALL = 800, 340  # pixels across these squares together, at most
LARGEST_SCALE = 6  # pixels of the film for one of the world
GAP, MARGIN, BORDER = 8, 16, 2
HEADER, FOOTER, BAR, FONT_SIZE = 40, 56, 6, 18


def dream_film(
    truth: Float[np.ndarray, "*episodes time frame h w"],
    dream: Float[np.ndarray, "*episodes time frame h w"],
    context: int,
    across: int = LARGE,
) -> UInt8[np.ndarray, "frames height width 3"]:
    """Reality (green), the dream (red), and both over each other (yellow where they agree).

    Takes one episode or a batch, which becomes a grid. Pixels are 0..1 and clipped; `time` counts timesteps, of which
    the first `context` are given to the model: there the dream's square shows reality, and `dream` is not read.

    Raises:
        ValueError: pixels that are not finite, or a context that leaves nothing to dream.
    """
    timesteps, frames = truth.shape[-4:-2]
    if not 1 <= context < timesteps:
        raise ValueError(f"context must be from 1 to {timesteps - 1} in a film of {timesteps} timesteps, got {context}")
    reality = _levels("truth", truth)
    given = context * frames
    squares = np.zeros((len(reality), 3, *reality.shape[1:], 3), np.uint8)
    squares[:, 0, ..., 1] = reality
    squares[:, 1, :given, ..., 1] = reality[:, :given]
    squares[:, 2, ..., 1] = reality
    squares[:, 1:, given:, ..., 0] = _levels("dream", dream[..., context:, :, :, :])[:, None]
    moments = [(f"context {t + 1} of {context}", YELLOW) for t in range(context)]
    moments += [(f"dream {t + 1} of {timesteps - context}", RED) for t in range(timesteps - context)]
    return _film(squares, [("reality", GREEN), ("dream", RED), ("both", YELLOW)], moments, across)


def policy_film(
    truth: Float[np.ndarray, "*episodes time frame h w"],
    dream: Float[np.ndarray, "*episodes time frame h w"],
    target: Float[np.ndarray, "*episodes h w"],
    across: int = LARGE,
) -> UInt8[np.ndarray, "frames height width 3"]:
    """Reality (green), the model's dream of it (red) and the target (blue) in one square; reality alone beside it.

    White is where all three meet. Takes one episode or a batch, which becomes a grid; pixels are 0..1 and clipped.

    Raises:
        ValueError: pixels that are not finite.
    """
    timesteps = truth.shape[-4]
    reality = _levels("truth", truth)
    squares = np.zeros((len(reality), 2, *reality.shape[1:], 3), np.uint8)
    squares[:, 0, ..., 0] = _levels("dream", dream)
    squares[:, :, ..., 1] = reality[:, None]
    squares[:, 0, ..., 2] = _levels("target", target[..., None, None, :, :])
    moments = [(f"timestep {t} of {timesteps - 1}", WHITE) for t in range(timesteps)]
    return _film(squares, [("all", BLUE), ("reality", GREEN)], moments, across)


def gif(film: UInt8[np.ndarray, "frames height width 3"]) -> bytes:
    """A film as a GIF that loops for ever."""
    palette = (CUBE_STEP * np.indices((6, 6, 6), np.uint8)).reshape(3, -1).T.tobytes()
    pictures = []
    for frame in film:  # one at a time, since it then stays near the processor
        step = (np.minimum(frame, 255 - CUBE_STEP // 2) + CUBE_STEP // 2) // CUBE_STEP  # the nearest
        picture = Image.fromarray(36 * step[..., 0] + 6 * step[..., 1] + step[..., 2])
        picture.putpalette(palette)  # or Pillow looks for each of the palette's colours again and again
        pictures.append(picture)
    content = BytesIO()
    pictures[0].save(
        content,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        palette=palette,  # of all frames, so that none brings its own
        optimize=True,  # only what moves is written: a third of the size
        duration=1000 // FRAMES_PER_SECOND,
        loop=0,
    )
    return content.getvalue()


def write_frames(folder: Path, film: UInt8[np.ndarray, "frames height width 3"]) -> None:
    """Write a film's frames as frame_0000.png, frame_0001.png and so on into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(film):
        imageio.imwrite(folder / f"frame_{i:04d}.png", frame)


def _levels(
    name: str, pixels: Float[np.ndarray, "*episodes time frame h w"]
) -> UInt8[np.ndarray, "episodes frames h w"]:
    """0..1 as 0..255, the timesteps' frames in one row, and an axis of episodes even for one."""
    if not np.isfinite(pixels).all():
        bad = np.count_nonzero(~np.isfinite(pixels))
        raise ValueError(f"every pixel of a film must be a finite number, but {bad} of the {name} are not")
    levels = np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    return levels.reshape(-1, pixels.shape[-4] * pixels.shape[-3], *pixels.shape[-2:])


def _film(
    squares: UInt8[np.ndarray, "episodes square frames h w 3"],
    titles: list[Label],
    moments: list[Label],
    pixels: int,
) -> UInt8[np.ndarray, "frames height width 3"]:
    """The episodes' squares as a grid, titled above; below, what is shown at each timestep and how far the film is."""
    episodes, across, frames, h, w, _ = squares.shape
    columns = min(episodes, SQUARES_ACROSS // across)
    rows = -(-episodes // columns)
    scale = max(1, min(LARGEST_SCALE, pixels // (columns * across * w)))
    cell_h, cell_w = scale * h + 2 * BORDER, scale * w + 2 * BORDER
    # Twice the gap between episodes keeps the squares of one together.
    group = across * (cell_w + GAP) + GAP
    height = HEADER + rows * (cell_h + GAP) - GAP + FOOTER
    width = 2 * MARGIN + columns * group - 2 * GAP

    # First what stands still for a timestep, then the frames.
    colours = np.array([colour for _, colour in moments], np.uint8)
    stills = np.empty((len(moments), height, width, 3), np.uint8)
    stills[:] = np.full(stills.shape[1:], BACKGROUND, np.uint8)
    stills[:, -FOOTER:-MARGIN] = [_text(text, colour, FOOTER - MARGIN, width) for text, colour in moments]
    corners = {}
    for e in range(episodes):
        for s, (title, colour) in enumerate(titles):
            y = HEADER + e // columns * (cell_h + GAP)
            x = MARGIN + e % columns * group + s * (cell_w + GAP)
            if e < columns:
                stills[:, :HEADER, x : x + cell_w] = _text(title, colour, HEADER, cell_w)
            stills[:, y : y + cell_h, x : x + cell_w] = colours[:, None, None] // 2
            corners[e, s] = y + BORDER, x + BORDER
    film = stills.repeat(frames // len(moments), axis=0)
    for square, (y, x) in corners.items():
        large = squares[square].repeat(scale, axis=1).repeat(scale, axis=2)
        film[:, y : y + scale * h, x : x + scale * w] = large
    bar = _progress(colours.repeat(frames // len(moments), axis=0), width - 2 * MARGIN)
    film[:, -MARGIN - BAR : -MARGIN, MARGIN:-MARGIN] = bar[:, None]
    return film


def _text(text: str, colour: tuple[int, int, int], height: int, width: int) -> UInt8[np.ndarray, "{height} {width} 3"]:
    """A text in the middle of a strip of background."""
    strip = Image.new("RGB", (width, height), BACKGROUND)
    font = ImageFont.load_default(FONT_SIZE)
    ImageDraw.Draw(strip).text((width / 2, height / 2), text, fill=colour, font=font, anchor="mm")
    return np.asarray(strip)


def _progress(colours: UInt8[np.ndarray, "frames 3"], width: int) -> UInt8[np.ndarray, "frames {width} 3"]:
    """A bar for each frame: the part that has been shown in the frames' colours, the rest in the same, darker."""
    frames = len(colours)
    shown = np.arange(width) * frames // width
    bar = colours[shown]
    return np.where((shown <= np.arange(frames)[:, None])[..., None], bar, bar // 3)
