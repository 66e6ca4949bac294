"""The core for GPUs computes what the core computes: here with two operations that only a GPU has written out.

The very operations run in tests/models/test_gpu.py.
"""

import copy

import pytest
import torch

from models.config import WorldModelConfig
from models.core import Core
from models.fused_core import FusedCore, fused

BATCH, CONTEXT, HORIZON = 5, 3, 4


def lstm_cell(gates, others, cell):
    enter, keep, candidate, leave = (gates + others).chunk(4, 1)
    gates = torch.cat([enter.sigmoid(), keep.sigmoid(), candidate.tanh(), leave.sigmoid()], 1)
    enter, keep, candidate, leave = gates.chunk(4, 1)
    after = keep * cell + enter * candidate
    return leave * after.tanh(), after, gates


def lstm_cell_gradient(hidden, cell, before, after, gates):
    enter, keep, candidate, leave = gates.chunk(4, 1)
    to_after = hidden * leave * (1 - after.tanh() ** 2) + (0 if cell is None else cell)
    to_gates = [
        to_after * candidate * enter * (1 - enter),
        to_after * before * keep * (1 - keep),
        to_after * enter * (1 - candidate**2),
        hidden * after.tanh() * leave * (1 - leave),
    ]
    return torch.cat(to_gates, 1), to_after * keep


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr("models.fused_core.lstm_cell", lstm_cell)
    monkeypatch.setattr("models.fused_core.lstm_cell_gradient", lstm_cell_gradient)


@pytest.fixture(params=[1, 3], ids=["one hidden layer", "three"])
def core(request):
    torch.manual_seed(0)
    core = Core(WorldModelConfig(latent=6, state=7, lstm=5, mlp=9, depth=request.param)).double()
    for weight in core.parameters():  # none of them zero, as some are at first
        weight.data += 0.2 * torch.randn_like(weight)
    return core


@pytest.fixture
def given():
    torch.manual_seed(1)
    latents = torch.randn(BATCH, CONTEXT, 6, dtype=torch.float64)
    return latents, torch.randn(BATCH, CONTEXT + HORIZON, 2, dtype=torch.float64)


def rollout(core, latents, forces):
    """The paths of some timesteps after some observations, and the two memories after the last."""
    state = core.initial(BATCH)
    for t in range(CONTEXT):
        state = core.observe(state, latents[:, t], forces[:, t])
    imagined = []
    for t in range(CONTEXT, CONTEXT + HORIZON):
        state = core.imagine(state, forces[:, t])
        imagined.append(state.path)
    return torch.stack(imagined, 1), state.hidden, state.cell


@pytest.mark.parametrize("parts", [(0,), (0, 1), (0, 1, 2)], ids=["latents", "and hidden state", "and cell state"])
def test_values_and_gradients_of_a_rollout_are_those_of_the_core(core, given, parts):
    latents, forces = (each.requires_grad_() for each in given)
    weights = [weight for part in (core.observing, core.imagining, core.start) for weight in part.parameters()]
    found, expected = (rollout(kind, latents, forces) for kind in (FusedCore(core), core))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs)
    losses = [sum(outputs[part].square().sum() for part in parts) for outputs in (found, expected)]
    found, expected = (torch.autograd.grad(loss, [*weights, latents, forces]) for loss in losses)
    assert all(gradient.any() for gradient in expected)
    torch.testing.assert_close(found, expected)


def test_of_frozen_weights_nothing_is_kept_but_forces_have_their_gradient(core, given):
    latents, forces = given
    forces.requires_grad_()
    core.requires_grad_(False)
    frozen = FusedCore(core)
    found, expected = (
        torch.autograd.grad(rollout(kind, latents, forces)[0].square().sum(), forces) for kind in (frozen, core)
    )
    torch.testing.assert_close(found, expected)
    assert frozen.observing.kept == frozen.imagining.kept == []


def test_the_weights_are_those_at_hand_when_a_rollout_begins(core, given):
    before = rollout(FusedCore(core), *given)[0]
    changed = copy.deepcopy(core)
    for weight in changed.parameters():
        weight.data *= 1.1
    after = rollout(FusedCore(changed), *given)[0]
    assert (after - before).abs().max() > 0.01


def test_a_processor_takes_the_core_as_it_is(core):
    assert fused(core) is core
