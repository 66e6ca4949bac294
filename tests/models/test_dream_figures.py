"""Figures of dreams: what a perfect dream scores, and hand-made frames and flights whose figures are known.

python -m pytest tests/models/test_dream_figures.py
"""

import json

import numpy as np
import pytest
import torch

from models.config import WorldModelConfig
from models.dream_figures import (
    centroid_error,
    compare_dreams,
    copy_errors,
    dream_errors,
    dream_figures,
    dream_frames,
    overlap,
    wall_contact,
)
from models.world_model import WorldModel
from sim_core.episodes import Episodes, random_episodes
from sim_core.raster import render
from sim_core.world import State, World, simulate

CONTEXT, HORIZON = 2, 6


class PerfectModel(WorldModel):
    """Knows episodes by their forces, and dreams what truly happens in them."""

    def __init__(self, which, count, world):
        super().__init__(WorldModelConfig(size=world.size, frames=world.frames))
        self.world = world
        episodes = random_episodes(which, range(count), CONTEXT + HORIZON - 1, world)
        known = zip(episodes.forces[:, CONTEXT:], episodes.positions[:, CONTEXT:], strict=True)
        self.positions = {forces.tobytes(): positions for forces, positions in known}

    def dream(self, state, forces):
        positions = np.stack([self.positions[episode.numpy().tobytes()] for episode in forces])
        return torch.from_numpy(positions).flatten(2), state

    def decode(self, latent):
        return torch.from_numpy(render(latent.unflatten(-1, (-1, 2)).numpy(), self.world)).logit(1e-6)


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return WorldModel(WorldModelConfig()).eval().requires_grad_(False)


def flight(x, vx, timesteps, y=16.0):
    """One block that flies along x without force or drag; its first frame is at x + vx."""
    world = World(drag=0)
    forces = np.zeros((1, timesteps, 2), np.float32)
    return Episodes(forces, *simulate(State(np.array([[x, y]], float), np.array([[vx, 0.0]])), forces, world)), world


def block(x, y):
    return torch.from_numpy(render(np.array([[x, y]], float), World()))


def test_a_perfect_dream_of_coverage_frames_scores_what_true_frames_do_at_every_horizon():
    dream = dream_figures(PerfectModel("evaluation", 200, World()), World(), "evaluation", 200, CONTEXT, HORIZON)
    # The metric reads .048 px on true frames, for it takes .1 off the covered share of every pixel.
    assert dream["centroid_error_px"]["mean"] == pytest.approx([0.048] * HORIZON, abs=0.003)
    assert dream["iou"] == pytest.approx([1] * HORIZON, abs=1e-3)
    # The exact simulator's frames read as much: it would have to be started with less than the least noise.
    assert all(precision is None or precision < 0.003 for precision in dream["precision_px"])


def test_a_perfect_dream_of_whole_pixel_frames_has_no_error_and_no_precision():
    world = World(raster="pixel")
    dream = dream_figures(PerfectModel("evaluation", 50, world), world, "evaluation", 50, CONTEXT, HORIZON)
    assert dream["centroid_error_px"]["p95"] == pytest.approx([0] * HORIZON, abs=1e-4)
    assert dream["iou"] == [1] * HORIZON
    assert dream["precision_px"] == [None] * HORIZON


def test_an_empty_dream_counts_half_the_diagonal(untrained):
    error = dream_errors(untrained, World(), "validation", 3, CONTEXT, HORIZON)
    np.testing.assert_allclose(error, 22.627, atol=1e-3)


@pytest.mark.parametrize("background", [0.0, 0.05, 0.1])
def test_a_centroid_is_that_of_what_is_brighter_than_the_background(background):
    frames = block(10, 20).clamp_min(background)
    centres = torch.tensor([[10.0, 20.0]])
    torch.testing.assert_close(centroid_error(frames, centres), torch.zeros(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(centroid_error(frames, centres + torch.tensor([3.0, 4.0])), torch.tensor([5.0]))


def test_a_second_ghost_pulls_the_centroid_to_the_middle():
    both = block(8, 8) + block(20, 8)
    torch.testing.assert_close(centroid_error(both, torch.tensor([[8.0, 8.0]])), torch.tensor([6.0]))


@pytest.mark.parametrize(("away", "expected"), [(0, 1), (1, 12 / 20), (2, 8 / 24), (4, 0), (20, 0)])
def test_overlap_is_the_shared_part_of_the_two_blocks(away, expected):
    assert overlap(block(6, 6), block(6 + away, 6)).item() == pytest.approx(expected)


def test_half_bright_pixels_are_no_part_of_a_block_and_two_empty_frames_agree():
    half = torch.full((1, 32, 32), 0.5)
    assert overlap(half, block(6, 6)).item() == 0
    assert overlap(half, torch.zeros(1, 32, 32)).item() == 1
    assert overlap(0.51 * block(6, 6), block(6, 6)).item() == 1


def test_the_error_of_copying_is_how_far_the_block_has_flown_on():
    episodes, world = flight(2, 1, 7)  # the last frame of the context of 2 is at 10, then come 11, 12, 13, 14
    np.testing.assert_allclose(copy_errors(episodes, CONTEXT, world), [[2.5, 6.5, 10.5, 14.5, 18.5]], atol=1e-4)


def test_an_episode_has_wall_contact_from_the_horizon_at_which_it_meets_the_wall():
    episodes, _ = flight(2, 1.5, 6)  # 2 + 1.5 * 19 is beyond the wall at 30: timestep 4 of 0 to 5
    np.testing.assert_array_equal(wall_contact(episodes, 1), [[False, False, False, True, True]])
    np.testing.assert_array_equal(wall_contact(episodes, 4), [[True, True]])
    np.testing.assert_array_equal(wall_contact(episodes, 5), [[False]])  # it was before the dream began


def test_the_first_frame_of_a_dream_can_be_the_one_that_meets_the_wall():
    episodes, _ = flight(22, 1.75, 2)  # 29 is the last frame of timestep 0
    np.testing.assert_array_equal(wall_contact(episodes, 1), [[True]])


def test_free_flight_and_wall_contact_together_are_the_whole():
    dream = dream_figures(PerfectModel("evaluation", 60, World()), World(), "evaluation", 60, CONTEXT, HORIZON)
    share = wall_contact(random_episodes("evaluation", range(60), CONTEXT + HORIZON - 1, World()), CONTEXT).mean(axis=0)
    assert 0 < share[0] < share[-1] < 1
    parts = (1 - share) * np.array(dream["free_flight_px"]) + share * np.array(dream["wall_contact_px"])
    np.testing.assert_allclose(parts, dream["centroid_error_px"]["mean"], rtol=1e-5)


@pytest.fixture(scope="module")
def dreamed(learned, world):
    """The errors of dreams that learned, by episode and horizon, and the figures of the same."""
    asked = learned.model, world, "evaluation", 60, CONTEXT, HORIZON
    return dream_errors(*asked), dream_figures(*asked)


def test_mean_median_and_percentile_are_those_of_the_episodes_errors(dreamed):
    errors, figures = dreamed[0], dreamed[1]["centroid_error_px"]
    assert figures["mean"] == pytest.approx(errors.mean(axis=0), rel=1e-4)
    assert figures["median"] == pytest.approx(np.median(errors, axis=0), rel=1e-4)
    assert figures["p95"] == pytest.approx(np.percentile(errors, 95, axis=0), rel=1e-4)
    assert all(a < b < c for a, b, c in zip(figures["median"], figures["mean"], figures["p95"], strict=True))


def test_the_worst_are_the_episodes_whose_dreams_are_off_most_all_along(dreamed):
    errors, worst = dreamed[0], dreamed[1]["worst"]
    assert worst["episode"] == np.argsort(-errors.mean(axis=1))[:3].tolist()
    assert worst["episode"] != np.argsort(-errors[:, -1])[:3].tolist(), "episodes that tell no mean from the end"
    assert worst["px"] == pytest.approx(errors.mean(axis=1)[worst["episode"]], rel=1e-4)


def test_what_no_episode_shows_is_null(untrained):
    dream = dream_figures(untrained, World(), "audit", 1, 1, 25)
    (met,) = wall_contact(random_episodes("audit", range(1), 25, World()), 1)
    assert {False, True} == set(met.tolist())
    for figures in (dream, dream["intervals"]):
        assert [figure is None for figure in figures["free_flight_px"]] == met.tolist()
        assert [figure is not None for figure in figures["wall_contact_px"]] == met.tolist()
    json.dumps(dream, allow_nan=False)


def test_validation_follows_the_seed_and_evaluation_does_not():
    model = WorldModel(WorldModelConfig()).eval()
    torch.nn.init.constant_(model.decoder.bias, 0)  # a grey frame, whose centroid is the middle
    errors = {
        (which, seed): dream_errors(model, World(), which, 3, 1, 2, seed)
        for which in ("validation", "evaluation")
        for seed in (0, 1)
    }
    np.testing.assert_array_equal(errors["evaluation", 0], errors["evaluation", 1])
    assert (errors["validation", 0] != errors["validation", 1]).all()


def test_an_episodes_error_does_not_depend_on_how_many_are_dreamed():
    torch.manual_seed(0)
    model = WorldModel(WorldModelConfig()).eval()
    torch.nn.init.constant_(model.decoder.bias, 0)
    episodes = random_episodes("evaluation", range(60), 4, World())
    few = Episodes(*(values[50:] for values in vars(episodes).values()))
    for many, some in zip(
        compare_dreams(model, episodes, 1, World()), compare_dreams(model, few, 1, World()), strict=True
    ):
        assert many.shape == (60, 4, 4)
        np.testing.assert_allclose(many[50:], some, rtol=1e-4)


def test_frames_for_a_film_are_the_truth_and_the_dream_of_the_episodes_asked_for():
    world = World()
    truth, dream = dream_frames(PerfectModel("audit", 5, world), world, "audit", range(3, 5), CONTEXT, HORIZON)
    assert truth.shape == dream.shape == (2, CONTEXT + HORIZON, 4, 32, 32)
    episodes = random_episodes("audit", range(3, 5), CONTEXT + HORIZON - 1, world)
    np.testing.assert_array_equal(truth, episodes.observations(world))
    np.testing.assert_allclose(dream[:, CONTEXT:], truth[:, CONTEXT:], atol=1e-5)
    assert not dream[:, :CONTEXT].any()
