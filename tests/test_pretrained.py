"""The weights that are shipped: they are what their cards say, obey what a person draws, and do not tire.

python -m pytest -m long tests/test_pretrained.py
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models import goal_figures
from models.goal_figures import controller_figures, drive_policy, goal_reaching
from sim_core.episodes import random_goals
from sim_core.raster import render
from sim_core.world import State
from viewer.card import first_few
from viewer.weights import load_weights

pytestmark = pytest.mark.long

PRETRAINED = Path(__file__).parents[1] / "pretrained"
RASTERS = sorted(card.parent.name for card in PRETRAINED.glob("*/card.json"))
EACH = 200  # drawings of a kind


@pytest.fixture(scope="module")
def coverage():
    return load_weights(PRETRAINED / "coverage")[:3]


def numbers(figures, path=""):
    """Every number of nested figures, by its place in them."""
    if isinstance(figures, dict):
        for name, value in figures.items():
            yield from numbers(value, f"{path}/{name}")
    elif isinstance(figures, list):
        for place, value in enumerate(figures):
            yield from numbers(value, f"{path}/{place}")
    elif isinstance(figures, float):
        yield path, figures


@pytest.mark.parametrize("raster", RASTERS)
def test_the_weights_score_on_the_first_audit_episodes_what_their_card_says(raster):
    card = json.loads((PRETRAINED / raster / "card.json").read_text())
    said, found = dict(numbers(card["first"])), dict(numbers(first_few(PRETRAINED / raster)))
    assert said.keys() == found.keys()
    assert len(said) > 500
    for place in said:
        assert found[place] == pytest.approx(said[place], rel=1e-3, abs=1e-6), place


def test_in_double_precision_a_drive_is_the_same_however_sums_are_rounded(monkeypatch):
    model, policy, world, _ = load_weights(PRETRAINED / "pixel")
    ended = {}
    for dtype in (torch.float32, torch.float64):
        for at_a_time in (100, 3):  # whose products are rounded differently
            monkeypatch.setattr(goal_figures, "CHUNK", at_a_time)
            found = goal_reaching(model.to(dtype), policy.to(dtype), world, "audit", 100, 50)
            ended[dtype, at_a_time] = found["controllers"]["policy"]["final_px_mean"]
    assert ended[torch.float64, 100] == pytest.approx(ended[torch.float64, 3], rel=1e-6)
    assert ended[torch.float32, 100] == pytest.approx(ended[torch.float64, 100], rel=0.1)


@pytest.mark.parametrize("raster", RASTERS)
def test_a_card_reports_every_seed_and_ships_the_one_that_did_best_on_validation(raster):
    card = json.loads((PRETRAINED / raster / "card.json").read_text())
    errors = [seed["validation_px"] for seed in card["seeds"]]
    assert len({seed["seed"] for seed in card["seeds"]}) == len(errors) > 1
    assert errors[card["chosen"]] == min(errors)
    assert card["figures"] == card["seeds"][card["chosen"]]["figures"]
    assert sum(card["seeds"][card["chosen"]]["parameters"].values()) < 1e6


def test_what_is_shipped_is_small():
    assert sum(file.stat().st_size for file in PRETRAINED.rglob("*") if file.is_file()) < 20e6


def masks(kind, random):
    """One drawing of a kind, as a mask of its own size."""
    if kind.startswith("square"):
        return np.ones((int(kind[-1]),) * 2)
    side = int(random.integers(5, 8))
    drawn = np.zeros((side, side))
    if kind == "ring":
        drawn[:] = 1
        drawn[1:-1, 1:-1] = 0
    elif kind == "L":
        drawn[:, :2] = drawn[-2:] = 1
    elif kind == "cross":
        drawn[side // 2] = drawn[:, side // 2] = 1
    return drawn


def drawings(kind, random):
    """Images [n, h, w] with a drawing each, anywhere in the frame, and its centroids [n, 2], px."""
    images = np.zeros((EACH, 32, 32), np.float32)
    for image in images:
        mask = masks(kind, random)
        row, column = random.integers(0, 33 - len(mask), 2)
        image[row : row + len(mask), column : column + len(mask)] = mask
    pixels = np.arange(32) + 0.5
    mass = images.sum(axis=(1, 2))
    return images, np.stack([images.sum(1) @ pixels, images.sum(2) @ pixels], -1) / mass[:, None]


def random_starts(random):
    return State(random.uniform(2, 30, (EACH, 2)), random.uniform(-1, 1, (EACH, 2)))


@pytest.mark.parametrize("kind", ["square 3", "square 4", "square 5", "square 6", "ring", "L", "cross"])
def test_the_block_comes_to_the_middle_of_what_is_drawn_and_stays(coverage, kind):
    model, policy, world = coverage
    random = np.random.default_rng(0)
    images, centroids = drawings(kind, random)
    positions, _ = drive_policy(model, policy, random_starts(random), images, 50, world)
    away = np.linalg.norm(positions[:, -10:] - centroids[:, None, None], axis=-1).max(axis=(1, 2))
    assert (away < 1.5).mean() >= 0.95, f"within 1.5 px for the last 10 timesteps: {(away < 1.5).mean():.3f}"


def test_between_two_squares_the_block_comes_to_rest(coverage):
    model, policy, world = coverage
    random = np.random.default_rng(1)
    images, places = np.zeros((EACH, 32, 32), np.float32), np.empty((EACH, 2, 2))
    for image, pair in zip(images, places, strict=True):
        while True:
            corners = random.integers(0, 29, (2, 2))  # column and row
            if np.abs(corners[0] - corners[1]).max() >= 8:
                break
        for column, row in corners:
            image[row : row + 4, column : column + 4] = 1
        pair[:] = corners + 2
    positions, _ = drive_policy(model, policy, random_starts(random), images, 50, world)
    late = positions[:, -15:].reshape(EACH, -1, 2)
    one, way = places[:, :1], places[:, 1:] - places[:, :1]
    along = np.clip(((late - one) * way).sum(-1) / (way**2).sum(-1), 0, 1)
    aside = np.linalg.norm(late - one - along[..., None] * way, axis=-1).max(axis=1)
    swing = np.ptp(late, axis=1).max(axis=1)
    calm = (aside < 3) & (swing < 1.5)
    assert calm.mean() >= 0.95, f"on one or between them, swinging less than 1.5 px: {calm.mean():.3f}"


def test_the_block_is_held_for_a_thousand_timesteps_as_well_as_for_fifty(coverage):
    model, policy, world = coverage
    start, target = random_goals("audit", range(EACH), world)
    positions, _ = drive_policy(model, policy, start, render(target, world), 1000, world)
    distance = np.linalg.norm(positions[:, 1:] - target[:, None, None], axis=-1)
    short, long = controller_figures(distance[:, :50]), controller_figures(distance)
    assert long["held_1px"] >= short["held_1px"] >= 0.98
    assert long["final_px_mean"] <= short["final_px_mean"] + 0.05
