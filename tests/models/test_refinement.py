"""The refinement of a filtered state: what it reads, and that it begins as nothing.

python -m pytest tests/models/test_refinement.py
"""

from dataclasses import replace

import pytest
import torch

from models.config import WorldModelTraining
from models.phase import Batch
from models.train_world_model import dynamics_phase
from models.world_model import WorldModel

MEMORY = 3


@pytest.fixture
def refined(tiny):
    torch.manual_seed(0)
    return WorldModel(replace(tiny, memory=MEMORY, refinements=2))


@pytest.fixture
def seen():
    """Latents and forces of 5 timesteps."""
    torch.manual_seed(1)
    return torch.randn(4, 5, 8), torch.rand(4, 5, 2) * 2 - 1


def awake(model):
    """The model with a refinement that does something, as after a training."""
    torch.nn.init.normal_(model.core.refinement.write.weight)
    return model


def plain(model):
    """A model with the same weights and no refinement."""
    twin = WorldModel(replace(model.config, refinements=0))
    twin.load_state_dict({name: w for name, w in model.state_dict().items() if "refinement" not in name})
    return twin


def test_before_it_has_learned_a_refinement_changes_no_state(refined, seen):
    assert all(map(torch.equal, refined.filter(*seen), plain(refined).filter(*seen)))


def test_a_learned_one_changes_the_path_alone_of_a_state_of_as_many_observations_as_are_remembered(refined, seen):
    some = [tuple(part[:, :n] for part in seen) for n in range(6)]
    before = [refined.filter(*those) for those in some]
    awake(refined)
    for n, (state, those) in enumerate(zip(before, some, strict=True)):
        path, hidden, cell = refined.filter(*those)
        assert torch.equal(hidden, state.hidden)
        assert torch.equal(cell, state.cell)
        assert (path != state.path).all() if n >= MEMORY else torch.equal(path, state.path), n


def test_it_reads_each_observation_and_force_and_a_filter_gives_it_no_older_ones(refined, seen):
    awake(refined)
    remembered = [part[:, -MEMORY:].clone() for part in seen]
    change = refined.core.refinement(*remembered)
    for t in range(MEMORY):
        for part in remembered:
            part[:, t] += 1
            assert (refined.core.refinement(*remembered) != change).any(1).all()
            part[:, t] -= 1
    path = refined.filter(*seen).path
    for part in seen:
        part[:, : 5 - MEMORY] += 1
    assert torch.equal(refined.filter(*seen).path, path)


def test_a_gradient_reaches_all_of_it(refined, seen):
    awake(refined).filter(*seen).path.square().sum().backward()
    for name, weight in refined.core.refinement.named_parameters():
        assert weight.grad.abs().max() > 0, name


def test_each_batch_of_a_training_teaches_all_of_it(refined, dataset):
    awake(refined)
    training = WorldModelTraining(dynamics_steps=60, dynamics_batch=8, horizons=(1, 2, 3))
    phase = dynamics_phase(refined, training, dataset)
    phase.begin()
    contexts = set()
    for step in range(12):
        batch = phase.draw(step)
        contexts.add(batch.plan[0])
        refined.zero_grad(set_to_none=True)
        phase.loss(batch)[0].backward()
        for name, weight in refined.core.refinement.named_parameters():
            assert weight.grad is not None, (name, batch.plan)
            assert weight.grad.abs().max() > 0, (name, batch.plan)
    assert contexts == {1, 2, 3}


def test_half_of_a_batch_has_the_context_that_was_drawn_and_the_other_all_that_is_remembered(refined, dataset):
    training = WorldModelTraining(dynamics_steps=60, dynamics_batch=8, horizons=(1, 2, 3))
    phase, expected = (dynamics_phase(model, training, dataset) for model in (refined, plain(refined)))
    phase.begin()
    expected.begin()
    batch = next(batch for batch in map(phase.draw, range(12)) if batch.plan[0] == 1)
    horizon = batch.plan[1]
    halves = [
        expected.loss(Batch((context, horizon), tuple(row[i::2] for row in batch.rows)))[0]
        for i, context in enumerate((1, MEMORY))
    ]
    torch.testing.assert_close(phase.loss(batch)[0], sum(halves) / 2)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [(-1, "a whole number of at least 0"), (1.5, "a whole number of"), (True, "a whole number of"), (65, "at most 64")],
)
def test_a_number_of_refinements_that_cannot_be_is_refused(tiny, value, allowed):
    with pytest.raises(ValueError, match=rf"^refinements must be {allowed}.*, got {value!r}$"):
        replace(tiny, refinements=value)
