"""Muon for all matrices at once is torch's Muon: python -m pytest tests/models/test_muon.py"""

import copy

import pytest
import torch
from torch import nn

from models.muon import StackedMuon, orthogonal
from models.optimizer import NEWTON_SCHULZ


@pytest.fixture
def pair():
    """Matrices, wide, tall and square, and copies of them."""
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(shape)) for shape in ((7, 40), (64, 12), (16, 16), (1, 9))]
    return ours, copy.deepcopy(ours)


def test_many_steps_are_those_of_torch(pair):
    ours, theirs = pair
    rate = torch.tensor(0.02)
    stacked = StackedMuon(ours, rate, NEWTON_SCHULZ)
    reference = torch.optim.Muon(theirs, weight_decay=0, ns_steps=NEWTON_SCHULZ)
    before = copy.deepcopy(ours)
    for step in range(20):
        rate.fill_(0.02 / (1 + step))
        reference.param_groups[0]["lr"] = 0.02 / (1 + step)
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        stacked.step()
        reference.step()
    for one, other, first in zip(ours, theirs, before, strict=True):
        moved = (other - first).norm()
        assert (one - other).norm() < 0.02 * moved, "to the rounding of bfloat16"
        memories = stacked.state[one]["momentum_buffer"], reference.state[other]["momentum_buffer"]
        torch.testing.assert_close(*memories)


def test_orthogonal_matrices_have_singular_values_near_one():
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonal(torch.randn(5, 8, 20), 5).float())
    assert values.min() > 0.5
    assert values.max() < 1.5
