"""The frames: what they show, that four of them hold the state, and how fast they come.

python -m pytest tests/sim_core/test_raster.py
"""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim_core.episodes import random_episodes
from sim_core.raster import render, rendered_centre
from sim_core.world import State, World, simulate

COVERAGE, PIXEL = World(), World(raster="pixel")

quick = settings(derandomize=True, deadline=None, max_examples=40, database=None)
positions_of_blocks = arrays(np.float64, (6, 2), elements=st.floats(COVERAGE.low, COVERAGE.high))
rasters = pytest.mark.parametrize("world", [COVERAGE, PIXEL], ids=lambda world: world.raster)


def centroid(frames):
    """(x, y) of the frames' mass, px; a pixel's mass lies at its middle."""
    middles = np.arange(frames.shape[-1]) + 0.5
    mass = frames.sum(axis=(-1, -2))
    return (
        np.stack([(frames.sum(axis=-2) * middles).sum(-1), (frames.sum(axis=-1) * middles).sum(-1)], -1)
        / mass[..., None]
    )


@quick
@given(positions_of_blocks)
def test_a_pixel_is_its_covered_area(positions):
    pixel = np.arange(32)
    for (x, y), frame in zip(positions, render(positions, COVERAGE), strict=True):
        columns, rows = (np.clip(np.minimum(c + 2, pixel + 1) - np.maximum(c - 2, pixel), 0, 1) for c in (x, y))
        np.testing.assert_allclose(frame, np.outer(rows, columns), atol=1e-6)


@quick
@given(positions_of_blocks)
def test_pixel_frames_show_the_block_at_the_rounded_corner(positions):
    for (x, y), frame in zip(positions, render(positions, PIXEL, np.uint8), strict=True):
        column, row = int(np.rint(x - 2)), int(np.rint(y - 2))
        expected = np.zeros((32, 32), np.uint8)
        expected[row : row + 4, column : column + 4] = 255
        np.testing.assert_array_equal(frame, expected)


@rasters
@quick
@given(positions=positions_of_blocks)
def test_every_frame_holds_the_area_of_the_block(world, positions):
    np.testing.assert_allclose(render(positions, world).sum(axis=(1, 2)), 16, atol=1e-4)


@rasters
@quick
@given(positions=positions_of_blocks)
def test_the_centroid_of_a_frame_is_the_rendered_centre(world, positions):
    np.testing.assert_allclose(centroid(render(positions, world)), rendered_centre(positions, world), atol=1e-4)


@rasters
@quick
@given(positions=positions_of_blocks)
def test_bytes_are_the_rounded_shares(world, positions):
    np.testing.assert_array_equal(render(positions, world, np.uint8), np.rint(255 * render(positions, world)))


@rasters
def test_mirrored_and_swapped_positions_give_mirrored_and_transposed_frames(world):
    positions = np.random.default_rng(0).uniform(2, 30, (200, 2))
    frames = render(positions, world)
    np.testing.assert_allclose(
        render(np.array([32, 0]) + np.array([-1, 1]) * positions, world), frames[:, :, ::-1], atol=1e-6
    )
    np.testing.assert_allclose(
        render(np.array([0, 32]) + np.array([1, -1]) * positions, world), frames[:, ::-1], atol=1e-6
    )
    np.testing.assert_array_equal(render(positions[:, ::-1], world), frames.swapaxes(1, 2))


@rasters
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_a_batch_gives_what_its_blocks_give_one_by_one(world, dtype):
    positions = np.random.default_rng(0).uniform(2, 30, (3, 2, 4, 2))
    frames = render(positions, world, dtype)
    assert frames.shape == (3, 2, 4, 32, 32)
    assert frames.dtype == dtype
    for index in np.ndindex(3, 2, 4):
        np.testing.assert_array_equal(frames[index], render(positions[index], world, dtype))


@rasters
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_frames_written_into_an_array_are_those_that_come_in_a_new_one(world, dtype):
    out = np.full((3, 2, 32, 32), 7, dtype)
    for seed in range(2):  # the second time over the first
        positions = np.random.default_rng(seed).uniform(2, 30, (3, 2, 2))
        assert render(positions, world, dtype, out) is out
        np.testing.assert_array_equal(out, render(positions, world, dtype))


@rasters
@pytest.mark.parametrize(
    "laid",
    [
        lambda positions: np.asfortranarray(positions),  # x and y apart
        lambda positions: positions.transpose(1, 0, 2).copy().transpose(1, 0, 2),  # time first, as they are simulated
        lambda positions: np.repeat(positions, 3, axis=1)[:, ::3],
        lambda positions: positions[..., ::-1].copy()[..., ::-1],
    ],
)
def test_positions_give_the_same_frames_however_they_lie_in_memory(world, laid):
    positions = np.random.default_rng(0).uniform(2, 30, (5, 4, 2))
    for each in (positions, positions[:1], positions.astype(np.float32)):
        np.testing.assert_array_equal(render(laid(each), world), render(each, world))


@pytest.mark.parametrize("out", [np.empty((3, 32, 32), np.uint8), np.empty((32, 32, 3), np.float32).T])
def test_an_array_that_is_not_made_for_the_frames_is_refused(out):
    with pytest.raises(ValueError, match=r"^out must be a contiguous array of float32 \(3, 32, 32\), got one of "):
        render(np.full((3, 2), 9.0), COVERAGE, out=out)


def test_x_is_the_column_and_y_the_row():
    assert np.argwhere(render(np.array([7.0, 21.0]), COVERAGE)).min(axis=0).tolist() == [19, 5]


@pytest.mark.parametrize("corner", [2.0, 30.0])
@rasters
def test_a_block_in_the_corner_is_whole(world, corner):
    frame = render(np.full(2, corner), world)
    assert (frame == 1).sum() == 16
    assert frame.sum() == 16


@pytest.mark.parametrize("position", [[1.99, 9.0], [9.0, 30.01], [np.nan, 9.0]])
@rasters
def test_a_position_beyond_a_wall_is_refused(world, position):
    with pytest.raises(ValueError, match=r"every position must be within \[2.0, 30.0\], got"):
        render(np.array(position), world)


@pytest.mark.parametrize("world", [World(size=12, block=3), World(size=9, block=8, raster="pixel")])
def test_other_sizes_have_their_own_frames(world):
    positions = np.random.default_rng(0).uniform(world.low, world.high, (50, 2))
    frames = render(positions, world)
    assert frames.shape == (50, world.size, world.size)
    np.testing.assert_allclose(frames.sum(axis=(1, 2)), world.block**2, rtol=1e-5)
    np.testing.assert_allclose(centroid(frames), rendered_centre(positions, world), atol=1e-4)


def test_four_coverage_frames_hold_position_and_velocity_and_pixel_frames_do_not():
    episodes = random_episodes("evaluation", range(300), 0, COVERAGE)
    track = episodes.positions[:, 0]
    # A block that stays this far from the walls has not bounced: its velocity is the difference of the last two frames.
    flying = ((track > 3.5) & (track < 28.5)).all(axis=(1, 2))
    errors = {}
    for world in (COVERAGE, PIXEL):
        seen = centroid(episodes.observations(world)[flying, 0])
        errors[world.raster] = (
            np.abs(seen[:, -1] - track[flying, -1]).max(),
            np.abs(seen[:, -1] - seen[:, -2] - episodes.velocities[flying, 0, -1]).max(),
        )
    assert flying.sum() > 150
    assert max(errors["coverage"]) < 1e-4
    assert min(errors["pixel"]) > 0.4


def test_two_million_pixel_frames_are_simulated_and_rendered_in_a_second():
    generator = np.random.default_rng(0)
    start = State(generator.uniform(2, 30, (1024, 2)), generator.uniform(-1, 1, (1024, 2)))
    forces = generator.uniform(-1, 1, (1024, 8, 2)).astype(np.float32)

    def seconds():
        begin = time.process_time()
        frames = render(simulate(start, forces, PIXEL)[0], PIXEL, np.uint8)
        return (time.process_time() - begin) / (frames.size / 32**2)

    seconds()  # the table of templates is made once
    assert 1 / min(seconds() for _ in range(5)) > 2e6
