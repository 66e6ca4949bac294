"""The schedule of the learning rates, and that no gradient takes a step as long as it likes.

python -m pytest tests/models/test_optimizer.py
"""

import pytest
import torch
from torch import nn

from models.optimizer import ADAM_RATE, CLIP, WARM_UP, Optimizer


@pytest.fixture
def module():
    torch.manual_seed(0)
    return nn.Linear(3, 3)


def test_both_rates_rise_for_a_hundred_steps_and_fall_along_a_cosine_to_a_hundredth(module):
    optimizer = Optimizer(module, 0.02, 1000, share=0.5)
    told, muon, adam = [], [], []
    for step in range(1000):
        told.append(optimizer.prepare(step))
        muon.append(optimizer.rates[0].item())
        adam.append(optimizer.rates[1].item())
    assert told[0] == pytest.approx(0.01 / WARM_UP, rel=1e-3)
    assert told[WARM_UP // 2 - 1] == pytest.approx(0.01 / 2, rel=0.02)
    assert max(told) == pytest.approx(0.01, rel=0.03)
    assert told.index(max(told)) == WARM_UP - 1
    assert told[500] == pytest.approx(0.01 * 0.505, rel=0.01)
    assert told[-1] == pytest.approx(0.01 / 100, rel=0.01)
    assert muon == pytest.approx(told)
    assert adam == pytest.approx([0.5 * ADAM_RATE * rate / 0.01 for rate in told])


def test_a_gradient_is_clipped_to_its_bound_and_the_norm_that_it_had_is_told(module):
    optimizer = Optimizer(module, 0.02, 1000)
    module(torch.full((1, 3), 100.0)).sum().backward()
    had = torch.cat([weight.grad.flatten() for weight in module.parameters()]).norm()
    assert optimizer.clip() == pytest.approx(had.item())
    assert had > 100
    assert torch.cat([weight.grad.flatten() for weight in module.parameters()]).norm() == pytest.approx(CLIP, rel=1e-3)


def test_a_small_gradient_is_left_as_it_is(module):
    optimizer = Optimizer(module, 0.02, 1000)
    module(torch.full((1, 3), 0.01)).sum().mul(0.1).backward()
    before = [weight.grad.clone() for weight in module.parameters()]
    assert optimizer.clip() < CLIP
    for weight, gradient in zip(module.parameters(), before, strict=True):
        torch.testing.assert_close(weight.grad, gradient)
