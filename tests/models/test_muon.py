"""Muon steps along the polar factor of its momentum: python -m pytest tests/models/test_muon.py"""

import pytest
import torch
from torch import nn

from models.muon import MOMENTUM, QUINTICS, Muon, orthogonal

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


def expected_change(momentum, gradient):
    """The change of a matrix, by way of singular values."""
    nesterov = (MOMENTUM * momentum + (1 - MOMENTUM) * gradient).double()
    flat = nesterov if nesterov.shape[0] <= nesterov.shape[1] else nesterov.T
    scale = (flat @ flat.T).abs().sum(1, keepdim=True).rsqrt()
    left, values, right = torch.linalg.svd(scale * flat, full_matrices=False)
    assert values.max() <= 1 + 1e-9
    step = (left * curve(values)) @ right
    longer = max(1, gradient.shape[0] / gradient.shape[1]) ** 0.5
    return -RATE * longer * (step if flat is nesterov else step.T)


def test_each_matrix_goes_along_the_polar_factor_of_its_momentum(matrices):
    muon = Muon(matrices, torch.tensor(RATE))
    momenta = [torch.zeros(shape) for shape in SHAPES]
    for _ in range(5):
        before = [matrix.detach().clone() for matrix in matrices]
        for matrix in matrices:
            matrix.grad = torch.randn_like(matrix)
        muon.step()
        for matrix, momentum, old in zip(matrices, momenta, before, strict=True):
            momentum.lerp_(matrix.grad, 1 - MOMENTUM)
            change = expected_change(momentum, matrix.grad)
            torch.testing.assert_close((matrix - old).double(), change, rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(muon.state[matrix]["momentum_buffer"], momentum)


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
    Muon(matrices, torch.tensor(RATE)).step()
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
