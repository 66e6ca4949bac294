"""The training loop: killed anywhere it goes on to the same bytes, and it stops by itself where it cannot learn.

python -m pytest tests/models/test_training.py
"""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from models.checkpoint import load_training
from models.config import PolicyConfig, PolicyTraining, WorldModelTraining
from models.train_policy import train_policy
from models.train_world_model import train_world_model
from models.training import CHECKPOINT, METRICS, Phase, TrainingError, train
from models.world_model import WorldModel

SHORT = WorldModelTraining(
    seed=3, autoencoder_steps=14, autoencoder_batch=8, dynamics_steps=16, dynamics_batch=8, horizons=(2, 3, 4)
)
SHORT_POLICY = PolicyTraining(seed=3, steps=18, batch=8, horizon=3)


class Killed(Exception):
    """Stands in for the signal that ends a training between two instructions."""


@pytest.fixture
def learners(dataset, tiny):
    """Both trainings as functions of a folder and the loop's options."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = WorldModel(tiny).eval().requires_grad_(False)
    return {
        "world model": lambda folder, **options: train_world_model(tiny, SHORT, dataset, folder, **options),
        "policy": lambda folder, **options: train_policy(
            PolicyConfig(8), SHORT_POLICY, model, dataset, folder, **options
        ),
    }


def history(folder):
    """The bytes of every checkpoint that a training writes, by phase and step, as an option for the loop."""
    seen: dict[tuple[int, int], set[bytes]] = {}

    def on_save():
        _, facts = load_training(folder / CHECKPOINT)
        seen.setdefault((facts["phase"], facts["step"]), set()).add((folder / CHECKPOINT).read_bytes())

    return seen, on_save


def kill_at(row):
    count = 0

    def on_step(phase, step, figures):
        nonlocal count
        count += 1
        if count == row:
            raise Killed

    return on_step


@pytest.mark.parametrize("learner", ["world model", "policy"])
def test_a_training_killed_again_and_again_ends_with_the_bytes_of_one_that_was_not(learners, learner, tmp_path):
    run = learners[learner]
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    seen, on_save = history(straight)
    model = run(straight, save_every=0, on_save=on_save)

    again, on_save = history(broken)
    draw = np.random.default_rng(0)
    kills = 0
    while True:
        # A checkpoint at every step or at none, so that up to all of a phase is done anew.
        every = draw.choice([0, math.inf])
        try:
            resumed = run(broken, save_every=every, on_save=on_save, on_step=kill_at(draw.integers(1, 20)))
            break
        except Killed:
            kills += 1
    assert kills >= 3

    # Weights, averaged weights, optimizer and step: the same bytes at each step that a checkpoint was made of.
    assert {place: seen[place] for place in again} == again
    assert all(len(contents) == 1 for contents in seen.values())
    assert (broken / CHECKPOINT).read_bytes() == (straight / CHECKPOINT).read_bytes()
    assert (broken / METRICS).read_bytes() == (straight / METRICS).read_bytes()
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name


def test_a_checkpoint_holds_the_optimizer_and_the_average_too(learners, tmp_path):
    with pytest.raises(Killed):
        learners["policy"](tmp_path, save_every=0, on_step=kill_at(5))
    tensors, facts = load_training(tmp_path / CHECKPOINT)
    assert (facts["phase"], facts["step"]) == (0, 4)
    assert {name.split(".")[0] for name in tensors} == {"weights", "optimizer", "average"}
    assert any("momentum" in name for name in tensors)
    assert any("exp_avg" in name for name in tensors)


def test_a_training_that_is_done_is_not_done_again(learners, tmp_path):
    model = learners["policy"](tmp_path)
    rows = []
    again = learners["policy"](tmp_path, on_step=lambda *row: rows.append(row))
    assert rows == []
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


def test_another_seed_gives_other_weights_and_the_same_seed_the_same(dataset, tiny, tmp_path):
    one, same, other = (
        train_world_model(tiny, replace(SHORT, seed=seed), dataset, tmp_path / name).core.read.weight
        for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_training_leaves_the_random_numbers_of_the_program_alone(learners, tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    learners["policy"](tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_the_metrics_hold_a_row_for_each_of_few_steps(learners, tmp_path):
    learners["world model"](tmp_path)
    rows = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    expected = [("autoencoder", step) for step in range(1, 15)] + [("dynamics", step) for step in range(1, 17)]
    assert [(row["phase"], row["step"]) for row in rows] == expected
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["gradient_norm"]) for row in rows)


def test_the_weights_that_are_kept_are_the_averaged_ones(tmp_path):
    """With a loss that pulls a weight steadily downwards the average is above the last value."""
    module = nn.Linear(2, 2)
    last = torch.empty(2, 2)

    def loss(step):
        last.copy_(module.weight.detach())
        return module.weight.sum() + module.bias.sum(), {}

    train(module, [Phase("only", 50, 0.02, 0.9, lambda: module, loss)], tmp_path, {})
    assert module.weight.sum() > last.sum()


def poisoned(when, what):
    """A phase whose loss, or whose gradient alone, is not finite from step `when` on."""
    module = nn.Linear(3, 3)

    def loss(step):
        good = module(torch.ones(1, 3)).square().sum()
        if step < when:
            return good, {}
        bad = good * math.nan if what == "loss" else good + (module.weight * 0).abs().sqrt().sum()
        return bad, {}

    return module, Phase("second", 10, 0.01, 0.9, lambda: module, loss)


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("when", [0, 6])
def test_a_loss_that_is_not_finite_stops_the_training_by_name_and_keeps_the_last_good_weights(tmp_path, what, when):
    module, phase = poisoned(when, what)
    with pytest.raises(TrainingError, match=rf"^the {what} is not finite at step {when + 1} of the phase second; "):
        train(module, [phase], tmp_path, {}, save_every=math.inf)
    tensors, facts = load_training(tmp_path / CHECKPOINT)
    assert facts["step"] == when
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert torch.equal(tensors["weights.weight"], module.weight)
    with pytest.raises(TrainingError, match=f"step {when + 1} "):  # trying again changes nothing
        train(module, [phase], tmp_path, {})


def test_a_checkpoint_of_another_training_is_refused(dataset, tiny, tmp_path):
    train_world_model(tiny, SHORT, dataset, tmp_path)
    with pytest.raises(ValueError, match="is the checkpoint of another training"):
        train_world_model(tiny, replace(SHORT, dynamics_rate=0.01), dataset, tmp_path)
    with pytest.raises(ValueError, match="is the checkpoint of another training"):
        train_world_model(replace(tiny, mlp=16), SHORT, dataset, tmp_path)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused_and_left_as_it_is(learners, tmp_path, share):
    learners["policy"](tmp_path)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    part = whole[: int(share * len(whole))]
    (tmp_path / CHECKPOINT).write_bytes(part)
    with pytest.raises(ValueError, match="is not the state of a training"):
        learners["policy"](tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == part


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(learners, tmp_path):
    model = learners["policy"](tmp_path)
    (tmp_path / CHECKPOINT).with_suffix(".incoming").write_bytes(b"half of a checkp")
    again = learners["policy"](tmp_path)
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


def test_a_row_of_the_metrics_that_was_cut_off_is_written_anew(learners, tmp_path):
    with pytest.raises(Killed):
        learners["policy"](tmp_path / "cut", save_every=0, on_step=kill_at(9))
    with (tmp_path / "cut" / METRICS).open("a") as file:
        file.write('{"phase": "policy", "st')
    learners["policy"](tmp_path / "cut")
    learners["policy"](tmp_path / "whole")
    assert (tmp_path / "cut" / METRICS).read_bytes() == (tmp_path / "whole" / METRICS).read_bytes()


def test_episodes_too_short_for_the_horizon_are_refused(dataset, tiny, tmp_path):
    with pytest.raises(ValueError, match=r"at least 52 timesteps long for memory 2 and horizon 50, .* have 10$"):
        train_world_model(tiny, replace(SHORT, horizons=(2, 3, 50)), dataset, tmp_path)
