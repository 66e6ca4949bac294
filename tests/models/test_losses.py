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


def test_these_blocks_are_drawn_as_the_simulator_draws_them():
    centres = np.random.default_rng(1).uniform(LOW, HIGH, (50, 2))
    np.testing.assert_allclose(draw_block(torch.from_numpy(centres)), render(centres, World()), atol=1e-6)


def test_the_transport_distances_of_two_blocks_are_how_far_their_centres_are_apart_along_the_axes():
    block, target = torch.from_numpy(np.random.default_rng(2).uniform(LOW, HIGH, (2, 200, 2)))
    across, along = transport(draw_block(block), draw_block(target))
    torch.testing.assert_close(torch.stack([across, along], -1), (block - target).abs(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("shown", [0.0, 1e-4, 1.0])
def test_a_frame_without_a_block_has_finite_transport_distances_and_gradients(shown):
    frames = torch.full((1, SIZE, SIZE), shown, requires_grad=True)
    distances = torch.stack(transport(frames, draw_block(torch.tensor([[10.0, 20.0]]))))
    (gradient,) = torch.autograd.grad(distances.sum(), frames)
    assert distances.isfinite().all()
    assert gradient.isfinite().all()


def test_the_distance_to_a_target_pulls_straight_at_it_from_anywhere_and_no_more_where_it_is_reached():
    place, target = torch.from_numpy(np.random.default_rng(3).uniform(LOW, HIGH, (2, 200, 2)))
    far = place.requires_grad_()
    distance = target_distance(far, target)
    torch.testing.assert_close(distance, (place - target).norm(dim=-1), atol=0.2, rtol=0)
    (gradient,) = torch.autograd.grad(distance.sum(), far)
    assert (F.cosine_similarity(gradient, place - target) > 0.999).all()
    (gradient,) = torch.autograd.grad(target_distance(far, far.detach()).sum(), far)
    assert not gradient.any()


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
