"""What is learned from: where the losses are least, and that their gradients point there from anywhere.

python -m pytest tests/models/test_losses.py
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models.losses import expectation_loss, frame_loss, latent_loss, target_distance, transport
from sim_core.raster import render
from sim_core.world import World

SIZE, BLOCK = 32, 4
LOW, HIGH = BLOCK / 2, SIZE - BLOCK / 2


def draw_block(centre, side=BLOCK):
    """Frames [n, h, w] of blocks by pixel coverage, as the simulator's, with a gradient to their centres [n, 2]."""
    pixel = torch.arange(SIZE)
    low, high = centre[..., None] - side / 2, centre[..., None] + side / 2
    covered = (torch.minimum(high, pixel + 1) - torch.maximum(low, pixel)).clamp(0, 1)
    return covered[..., 1, :, None] * covered[..., 0, None, :]


def random_pairs(n):
    """Blocks and targets [n, 2] that do not overlap."""
    pairs = torch.from_numpy(np.random.default_rng(0).uniform(LOW, HIGH, (2 * n, 2, 2)))
    apart = (pairs[:, 0] - pairs[:, 1]).abs().amax(-1) >= BLOCK
    return pairs[apart][:n].unbind(1)


def share_pointing_at_target(loss):
    """Of 500 blocks, how many the loss pulls to within 26 degrees of the straight way to their targets."""
    block, target = random_pairs(500)
    assert len(block) == 500
    block = block.clone().requires_grad_()
    loss(draw_block(block), draw_block(target)).sum().backward()
    return (F.cosine_similarity(-block.grad, target - block) > 0.9).double().mean().item()


def binary_cross_entropy(frames, target):
    return F.binary_cross_entropy(frames, target, reduction="none").sum((-1, -2))


def test_these_blocks_are_drawn_as_the_simulator_draws_them():
    centres = np.random.default_rng(1).uniform(LOW, HIGH, (50, 2))
    np.testing.assert_allclose(draw_block(torch.from_numpy(centres)), render(centres, World()), atol=1e-6)


def test_the_policys_loss_points_at_the_target_where_nothing_overlaps():
    assert share_pointing_at_target(target_distance) >= 0.95


def test_pixel_cross_entropy_does_not_which_is_why_it_is_not_the_loss():
    assert share_pointing_at_target(binary_cross_entropy) < 0.25  # 0.14 would be chance


def test_the_distance_of_two_blocks_is_how_far_their_centres_are_apart():
    block, target = torch.from_numpy(np.random.default_rng(2).uniform(LOW, HIGH, (2, 200, 2)))
    across, along = transport(draw_block(block), draw_block(target))
    torch.testing.assert_close(torch.stack([across, along], -1), (block - target).abs(), atol=1e-3, rtol=0)
    torch.testing.assert_close(
        target_distance(draw_block(block), draw_block(target)), (block - target).norm(dim=-1), atol=0.25, rtol=0
    )


def ring():
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    radius = np.hypot(x - 18, y - 12)
    return (radius > 3) & (radius < 5)


def letter_l():
    image = np.zeros((SIZE, SIZE), bool)
    image[8:16, 10:12] = image[14:16, 10:16] = True
    return image


def cross():
    image = np.zeros((SIZE, SIZE), bool)
    image[19:21, 6:14] = image[16:24, 9:11] = True
    return image


def small_square():
    image = np.zeros((SIZE, SIZE), bool)
    image[4:7, 25:28] = True
    return image


@pytest.mark.parametrize("shape", [ring, letter_l, cross, small_square])
def test_for_a_drawing_the_distance_is_least_with_the_block_near_its_centroid(shape):
    image = shape()
    centroid = np.argwhere(image)[:, ::-1].mean(0) + 0.5
    grid = torch.cartesian_prod(*2 * [torch.arange(LOW, HIGH + 0.25, 0.5)])
    target = torch.from_numpy(image).float().expand(len(grid), -1, -1)
    best = grid[target_distance(draw_block(grid), target).argmin()]
    assert np.linalg.norm(best.numpy() - centroid) < 1.5


@pytest.mark.parametrize("dream", [0.0, 1e-4, 0.099, 1.0])
def test_a_dream_without_a_block_gives_a_finite_loss_and_gradient(dream):
    frames = torch.full((1, SIZE, SIZE), dream, requires_grad=True)
    loss = target_distance(frames, draw_block(torch.tensor([[10.0, 20.0]])))
    (gradient,) = torch.autograd.grad(loss.sum(), frames)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()


def test_frames_lose_least_where_they_are_the_true_ones_and_more_the_further_they_are():
    truth = draw_block(torch.tensor([[10.3, 20.6]]))
    losses = [
        frame_loss(draw_block(torch.tensor([[10.3 + away, 20.6]])).logit(1e-4), truth) for away in (0, 1, 2, 5, 10, 15)
    ]
    assert losses == sorted(losses)
    assert losses[0] < losses[1]


def test_a_latent_that_left_the_truth_counts_by_its_logarithm():
    truth = torch.zeros(1, 1, 32)
    near, far, further = (latent_loss(truth + error, truth, 0.03, 0.3) for error in (0.003, 3.0, 30.0))
    assert latent_loss(truth, truth, 0.03, 0.3) == 0
    torch.testing.assert_close(near, torch.tensor(0.003), rtol=0.06, atol=0)
    torch.testing.assert_close(further - far, torch.tensor(0.03 * np.log(10), dtype=torch.float32), rtol=0.02, atol=0)


def test_of_a_dream_that_is_lost_nothing_more_is_learned_even_if_it_meets_the_truth_again():
    error = torch.tensor([[0.01, 0.02, 3.0, 0.5, 0.0], [0.01, 0.02, 0.03, 0.04, 0.05]])
    dream = error[..., None].repeat(1, 1, 32).requires_grad_()
    (gradient,) = torch.autograd.grad(latent_loss(dream, torch.zeros_like(dream), 0.03, 0.3), dream)
    assert (gradient.norm(dim=-1) > 0).tolist() == [[True, True, True, False, False], [True] * 5]


def test_the_best_guess_of_what_cannot_be_known_is_the_median_or_with_the_expectation_loss_the_mean():
    truth = torch.tensor([0.0, 0.0, 3.0])[:, None, None]  # one time in three elsewhere: median 0, mean 1
    guesses = torch.linspace(-0.5, 3.5, 401)

    def best(loss):
        return guesses[torch.stack([loss(guess.expand(3, 1, 1), truth) for guess in guesses]).argmin()]

    assert abs(best(lambda guess, truth: latent_loss(guess, truth, 0.03, 0.3))) < 0.02
    assert abs(best(expectation_loss) - 1) < 0.02


def test_in_the_expectation_loss_an_error_twice_as_large_counts_the_same_twice_as_far_ahead():
    truth = torch.zeros(5, 4, 3)
    near, far = truth.clone(), truth.clone()
    near[:, 0], far[:, 1] = 1, 2
    torch.testing.assert_close(expectation_loss(near, truth), expectation_loss(far, truth))
