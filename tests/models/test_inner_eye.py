"""Where a dream would be seen, without a frame of it: python -m pytest tests/models/test_inner_eye.py"""

import numpy as np
import pytest
import torch

from models.eye import centre_of_mass
from models.inner_eye import DOUBT, InnerEye
from models.policy import encode_target

SIZE = 16


@pytest.fixture
def eye(learned, dataset):
    return InnerEye(learned.model, next(dataset.chunks())[:32].flatten(0, 1))


@pytest.fixture
def observed(dataset):
    """Observations that the eye was not fitted to."""
    return next(dataset.chunks())[32:].flatten(0, 1)


def test_it_sees_in_a_latent_where_the_last_frame_shows_the_block(learned, eye, observed):
    seen = eye(learned.model.encode(observed))
    assert (seen - centre_of_mass(observed[:, -1])).norm(dim=-1).max() < 0.02
    # The frames before show it elsewhere.
    assert (seen - centre_of_mass(observed[:, 0])).norm(dim=-1).mean() > 0.5


def test_what_a_dream_is_off_by_it_does_not_magnify(learned, eye, observed):
    torch.manual_seed(0)
    latents = learned.model.encode(observed)
    disturbed = latents + DOUBT * torch.randn_like(latents)
    assert (eye(disturbed) - eye(latents)).norm(dim=-1).mean() < 0.05


def ring():
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    radius = np.hypot(x - 9, y - 6)
    return (radius > 2) & (radius < 4)


def letter_l():
    image = np.zeros((SIZE, SIZE), bool)
    image[4:12, 5:7] = image[10:12, 5:11] = True
    return image


def small_square():
    image = np.zeros((SIZE, SIZE), bool)
    image[2:4, 12:14] = True
    return image


def cut_by_a_wall():
    image = np.zeros((SIZE, SIZE), bool)
    image[6:10, 14:] = True
    return image


@pytest.mark.parametrize("shape", [ring, letter_l, small_square, cut_by_a_wall])
def test_a_target_of_any_shape_it_sees_at_its_centroid(learned, eye, shape):
    image = shape()
    centroid = torch.from_numpy(np.argwhere(image)[:, ::-1].mean(0) + 0.5).float()
    seen = eye(encode_target(learned.model, torch.from_numpy(image).float()[None]))[0]
    assert (seen - centroid).norm() < 0.1
