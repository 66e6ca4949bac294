"""The films: what a person sees in them, and the files that they become.

python -m pytest tests/viewer/test_films.py
"""

import base64
import re
from io import BytesIO

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image, ImageSequence

from sim_core.episodes import random_episodes
from sim_core.raster import render
from sim_core.world import World
from viewer import films
from viewer.films import SMALL, dream_film, gif, policy_film, write_frames
from viewer.page import film

WORLD = World()
GREEN, RED, BLUE, YELLOW, WHITE = (0, 255, 0), (255, 0, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255)


def block(x, y, timesteps=5):
    """Frames [timesteps, 4, 32, 32] of a block that rests at (x, y)."""
    return np.broadcast_to(render(np.array([x, y], float), WORLD), (timesteps, 4, 32, 32))


def has(picture, colour):
    return bool((picture == colour).all(axis=-1).any())


def thirds(film):
    return np.array_split(film, 3, axis=2)


def test_a_dream_film_has_a_frame_for_each_frame():
    assert len(dream_film(block(8, 8), block(8, 8), 2)) == 20


def test_reality_is_green_the_dream_red_and_their_overlap_yellow():
    reality, dream, both = thirds(dream_film(block(8, 8), block(10, 8), 2)[-1:])
    assert has(reality, GREEN)
    assert not has(reality, RED)
    assert has(dream, RED)
    assert not has(dream, GREEN)
    assert has(both, GREEN)
    assert has(both, RED)
    assert has(both, YELLOW)


def test_during_the_context_the_dreams_square_shows_reality():
    film = dream_film(block(8, 8), block(20, 20), 2)
    assert not has(film[:8], RED)
    assert has(thirds(film[:8])[1], GREEN)
    assert has(film[8:9], RED)


def test_context_and_dream_are_marked_differently():
    still = dream_film(block(8, 8), np.zeros((5, 4, 32, 32), np.float32), 2)
    assert (still[7] != still[8]).any(axis=-1).mean() > 0.01


def test_the_blocks_stand_where_they_are():
    film = dream_film(block(4, 28), block(4, 28), 1)
    rows, columns = np.nonzero((film[-1] == GREEN).all(axis=-1))
    square = film.shape[2] / 3
    assert rows.min() > 150, "y grows downwards"
    assert columns.min() < square / 4, "x grows to the right"


def test_a_batch_becomes_a_grid():
    one = dream_film(block(8, 8), block(8, 8), 2)
    six = dream_film(np.stack([block(4 * i, 8) for i in range(1, 7)]), np.stack([block(8, 8)] * 6), 2)
    assert len(six) == len(one)
    assert six.shape[1] > one.shape[1]
    assert six.shape[2] < 1000
    greens = (six[-1] == GREEN).all(axis=-1).any(axis=0)
    assert greens[: len(greens) // 2].any()
    assert greens[len(greens) // 2 :].any()


def test_a_policy_film_mixes_reality_dream_and_target_and_shows_reality_alone():
    mixed, reality = np.array_split(policy_film(block(8, 8), block(9, 8), block(10, 8)[0, 0]), 2, axis=2)
    for colour in (GREEN, RED, BLUE):
        assert has(policy_film(block(4, 4), block(12, 12), block(20, 20)[0, 0]), colour)
    assert has(mixed, WHITE)
    assert has(reality, GREEN)
    assert not has(reality[:, 40:-56], WHITE)


def test_values_outside_are_clipped():
    assert np.array_equal(
        dream_film(block(8, 8) * 3 - 1, block(8, 8) * 3 - 1, 1)[-1],
        dream_film(np.clip(block(8, 8) * 3 - 1, 0, 1), np.clip(block(8, 8) * 3 - 1, 0, 1), 1)[-1],
    )


def test_values_that_are_not_finite_are_refused_by_name():
    broken = block(8, 8).copy()
    broken[3, 0, 0, :2] = np.nan
    with pytest.raises(ValueError, match="2 of the dream are not"):
        dream_film(block(8, 8), broken, 2)
    with pytest.raises(ValueError, match="the truth"):
        policy_film(broken, block(8, 8), block(8, 8)[0, 0])


def test_a_context_that_leaves_nothing_to_dream_is_refused():
    with pytest.raises(ValueError, match="context must be from 1 to 4 in a film of 5 timesteps, got 5"):
        dream_film(block(8, 8), block(8, 8), 5)


def test_a_gif_opens_with_the_films_frames_colours_and_speed():
    path = np.linspace([4, 8], [28, 20], 20).reshape(5, 4, 2)
    film = dream_film(render(path, WORLD), render(path[::-1], WORLD), 2)
    with Image.open(BytesIO(gif(film))) as opened:
        assert opened.info["loop"] == 0
        assert opened.info["duration"] == 50
        shown = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(opened)])
    assert shown.shape == film.shape
    assert abs(shown.astype(int) - film).max() <= 25, "half a step of the palette"


def test_a_gif_of_a_whole_evaluation_stays_small():
    observations = random_episodes("evaluation", range(6), 27, WORLD).observations(WORLD, np.float32)
    assert len(gif(dream_film(observations, observations[::-1], 3))) < 600_000
    assert len(gif(dream_film(observations[:1], observations[1:2], 3, SMALL))) < 100_000


def test_small_films_of_a_dream_and_of_a_policy_are_about_as_wide():
    still = block(8, 8)
    widths = [
        film.shape[2] for film in (dream_film(still, still, 2, SMALL), policy_film(still, still, still[0, 0], SMALL))
    ]
    assert all(330 < width < 400 for width in widths)


def test_frames_are_written_one_by_one(tmp_path):
    film = dream_film(block(8, 8), block(8, 8), 2)
    write_frames(tmp_path / "new" / "frames", film)
    written = sorted((tmp_path / "new" / "frames").iterdir())
    assert len(written) == 20
    assert np.array_equal(imageio.imread(written[-1]), film[-1])


def test_the_bar_grows_until_it_is_full():
    bar = films._progress(np.full((10, 3), 90, np.uint8), 100)[..., 0]
    assert [(row == 90).sum() for row in bar] == [10 * (i + 1) for i in range(10)]


def test_timesteps_are_counted_from_1(monkeypatch):
    told, text = [], films._text

    def tell(said, *rest):
        told.append(said)
        return text(said, *rest)

    monkeypatch.setattr(films, "_text", tell)
    dream_film(block(8, 8), block(8, 8), 2)
    assert told[:5] == ["context 1 of 2", "context 2 of 2", "dream 1 of 3", "dream 2 of 3", "dream 3 of 3"]


def test_who_wants_little_motion_sees_the_middle_of_a_film_and_both_know_its_size():
    frames = np.zeros((9, 8, 16, 3), np.uint8)
    frames[3:6] = 255
    html = film(gif(frames), "said")
    (still,) = re.findall(r'image/png;base64,([^"]*)', html)
    assert imageio.imread(base64.b64decode(still), extension=".png").mean() > 200
    assert 'width="16" height="8"' in html
