"""Muon steps along the polar factor of its momentum: python -m pytest tests/models/test_muon.py"""

from itertools import pairwise
from unittest.mock import patch

import pytest
import torch
from torch import nn

from models.muon import DAMPING, MEMORY, MOMENTUM, QUINTICS, Muon, due, inverse_fourth_root, orthogonal
from models.optimizer import Optimizer

SHAPES = ((7, 40), (64, 12), (16, 16), (12, 30), (1, 9))  # wide, tall, square, and two whose shorter sides are alike
RATE = 0.02


@pytest.fixture
def matrices():
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def curve(values):
    """Of singular values what they become."""
    for a, b, c in QUINTICS:
        values = a * values + b * values**3 + c * values**5
    return values


def expected_change(momentum, gradient, preconditioner):
    """The change of a matrix, by way of singular values."""
    nesterov = (MOMENTUM * momentum + (1 - MOMENTUM) * gradient).double() @ preconditioner
    flat = nesterov if nesterov.shape[0] <= nesterov.shape[1] else nesterov.T
    scale = (flat @ flat.T).abs().sum(1, keepdim=True).rsqrt()
    left, values, right = torch.linalg.svd(scale * flat, full_matrices=False)
    assert values.max() <= 1 + 1e-9
    step = (left * curve(values)) @ right
    longer = max(1, gradient.shape[0] / gradient.shape[1]) ** 0.5
    return -RATE * longer * (step if flat is nesterov else step.T) @ preconditioner


def expected_preconditioner(moment):
    left, values, _ = torch.linalg.svd(moment / moment.diagonal().mean())
    return left @ torch.diag((values + DAMPING) ** -0.25) @ left.T


def test_each_matrix_goes_along_the_polar_factor_of_its_momentum(matrices):
    muon = Muon(matrices, torch.tensor(RATE))
    momenta = [torch.zeros(shape) for shape in SHAPES]
    moments = [torch.zeros(shape[1], shape[1], dtype=torch.double) for shape in SHAPES]
    preconditioners = [torch.eye(shape[1], dtype=torch.double) for shape in SHAPES]
    for step in range(15):
        if step == 12:  # when there were as many gradients as make a moment of full rank
            muon.renew()
            preconditioners = [expected_preconditioner(moment) for moment in moments]
        before = [matrix.detach().clone() for matrix in matrices]
        for matrix in matrices:
            matrix.grad = torch.randn_like(matrix)
        muon.step()
        remembered = zip(matrices, momenta, moments, preconditioners, before, strict=True)
        for matrix, momentum, moment, preconditioner, old in remembered:
            momentum.lerp_(matrix.grad, 1 - MOMENTUM)
            moment.mul_(MEMORY).add_(matrix.grad.T.double() @ matrix.grad.double())
            change = expected_change(momentum, matrix.grad, preconditioner)
            torch.testing.assert_close((matrix - old).double(), change, rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(muon.state[matrix]["momentum_buffer"], momentum)
            torch.testing.assert_close(muon.state[matrix]["second_moment"].double(), moment, rtol=1e-4, atol=1e-4)


def test_the_rate_is_read_at_each_step(matrices):
    rate = torch.tensor(0.0)
    muon, before = Muon(matrices, rate), [matrix.detach().clone() for matrix in matrices]
    for matrix in matrices:
        matrix.grad = torch.randn_like(matrix)
    muon.step()
    assert all(map(torch.equal, matrices, before))
    rate.fill_(RATE)
    muon.step()
    assert not any(map(torch.equal, matrices, before))


def test_a_matrix_without_a_gradient_stays(matrices):
    for matrix in matrices:
        matrix.grad = torch.zeros_like(matrix)
    before = [matrix.detach().clone() for matrix in matrices]
    muon = Muon(matrices, torch.tensor(RATE))
    for _ in range(2):
        muon.step()
        muon.renew()
    assert all(map(torch.equal, matrices, before))


def test_singular_values_down_to_a_twentieth_come_out_about_alike():
    after = curve(torch.linspace(0.05, 1, 1000))
    assert after.min() > 0.78
    assert after.max() < 1.22


def test_directions_that_gradients_hardly_take_count_about_as_much_as_the_others():
    torch.manual_seed(1)
    turned = torch.linalg.qr(torch.randn(5, 8, 8)).Q
    matrices = turned @ (torch.randn(5, 8, 20) * torch.logspace(0, -2, 8)[:, None])
    before, after = (torch.linalg.svdvals(each) for each in (matrices, orthogonal(matrices)))
    assert (before[:, 0] / before[:, -1]).min() > 50
    assert (after[:, 0] / after[:, -1]).max() < 12


def test_no_direction_of_the_inputs_is_stretched_by_more_than_ten():
    torch.manual_seed(1)
    turned = torch.linalg.qr(torch.randn(20, 20)).Q
    root = inverse_fourth_root(turned @ torch.diag(torch.logspace(-12, 0, 20)) @ turned.T)
    stretched = torch.linalg.eigvalsh(root)
    assert 9 < stretched.max() < 10.01
    assert 0 < stretched.min() < 1


@pytest.mark.parametrize("entry", [0.0, torch.nan, torch.inf])
def test_without_a_gradient_or_with_one_that_is_not_finite_nothing_is_preconditioned(entry):
    assert torch.equal(inverse_fourth_root(torch.full((3, 3), entry)), torch.eye(3))


def test_preconditioners_are_renewed_often_at_first_and_later_once_in_250_steps():
    renewed = [step for step in range(10000) if due(step)]
    assert renewed[:5] == [1, 2, 3, 4, 5]
    assert len(renewed) < 110
    assert all(later - earlier <= min(1 + 0.1 * later, 250) for earlier, later in pairwise(renewed))


def test_what_varies_a_hundredth_as_much_is_learned_too():
    truth = torch.tensor([[1.0, 100], [-1, 50], [2, -100], [0, 20]])  # what the second input, of .01, is multiplied by

    def error_after_training():
        torch.manual_seed(2)
        line, steps = nn.Linear(2, 4), 400
        optimizer = Optimizer(line, 0.3, steps)
        for step in range(steps):
            inputs = torch.randn(64, 2) * torch.tensor([1, 0.01])
            (line(inputs) - inputs @ truth.T).square().mean().backward()
            optimizer.prepare(step)
            optimizer.apply()
        return ((line.weight - truth)[:, 1].norm() / truth[:, 1].norm()).item()

    with patch("models.optimizer.due", return_value=False):
        not_preconditioned = error_after_training()
    assert error_after_training() < 0.1 * not_preconditioned
