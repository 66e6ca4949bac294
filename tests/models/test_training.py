"""The training loop: what it keeps, what it tells, and that it stops by itself where it cannot learn.

python -m pytest tests/models/test_training.py
"""

import json
import math
from dataclasses import replace

import pytest
import torch
from short_trainings import SHORT, SHORT_POLICY
from torch import nn

from models.checkpoint import load_training
from models.dream_figures import dream_errors
from models.goal_figures import policy_settling
from models.phase import GENTLE, Batch, Phase
from models.steps import NotFinite, Steps, Taken
from models.train_policy import train_policy
from models.train_world_model import train_world_model
from models.training import CHECKPOINT, METRICS, TrainingError, train


def rates(folder):
    rows = map(json.loads, (folder / METRICS).read_text().splitlines())
    return [(row["phase"], row["step"], row["learning_rate"]) for row in rows]


def test_a_training_that_goes_on_from_weights_does_so_gently_and_does_not_undo_what_they_have_learned(
    dataset, tiny, world, learned, tmp_path
):
    model = train_world_model(tiny, SHORT, dataset, tmp_path / "from weights", start=learned.model)
    train_world_model(tiny, SHORT, dataset, tmp_path / "from nothing")
    assert rates(tmp_path / "from weights") == [
        (phase, step, pytest.approx(GENTLE * rate)) for phase, step, rate in rates(tmp_path / "from nothing")
    ]
    before, after = (dream_errors(each, world, "validation", 100, 2, 4).mean() for each in (learned.model, model))
    assert after < 1.1 * before

    config = learned.policy.config
    policy = train_policy(config, SHORT_POLICY, learned.model, dataset, tmp_path / "policy", start=learned.policy)
    before, after = (
        policy_settling(learned.model, each, world, "validation", 100, 25).mean() for each in (learned.policy, policy)
    )
    assert after < 1.1 * before
    assert not all(map(torch.equal, policy.state_dict().values(), learned.policy.state_dict().values()))


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
    steps = {"autoencoder": 14, "dynamics": 16, "decoder": 5}
    expected = [(phase, step) for phase, count in steps.items() for step in range(1, count + 1)]
    assert [(row["phase"], row["step"]) for row in rows] == expected
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["gradient_norm"]) for row in rows)


@pytest.mark.parametrize(
    ("learner", "phases", "figure"),
    [
        ("world model", ["dynamics", "decoder"], "validation_dream_h5_px"),
        ("policy", ["policy"], "validation_goal_px"),
    ],
)
def test_the_metrics_say_now_and_then_how_validation_episodes_go(learners, tmp_path, learner, phases, figure):
    films = []
    learners[learner](tmp_path, on_step=lambda *step: films.append(step[3]))
    rows = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert [row["phase"] for row in rows if figure in row] == phases, "at the end at least"
    assert math.isfinite(rows[-1][figure])
    assert [film is not None for film in films] == [figure in row for row in rows]


def the_step(step):
    """A batch that says which step it is for, and nothing else."""
    return Batch((step,), ())


def test_looking_sees_the_weights_that_are_kept_and_changes_nothing(tmp_path):
    seen = []

    def trained(name, look):
        module = nn.Linear(3, 3)
        nn.init.constant_(module.weight, 0.1)
        nn.init.zeros_(module.bias)

        def loss(batch):
            return module(torch.full((1, 3), 1.0 + batch.plan[0])).square().sum(), {}

        def see():
            seen.append(module.weight.detach().clone())
            return {}, None

        phase = Phase("only", 60, 1, 0.02, 0.9, lambda: module, the_step, loss)
        train(module, [replace(phase, look=see) if look else phase], tmp_path / name, {})
        return module.weight.detach()

    alone, watched = trained("alone", look=False), trained("watched", look=True)
    assert torch.equal(alone, watched)
    assert len(seen) == 3
    assert torch.equal(seen[-1], watched)
    assert not torch.equal(seen[0], watched)


def test_the_weights_that_are_kept_are_the_averaged_ones(tmp_path):
    """With a loss that pulls a weight steadily downwards the average is above the last value."""
    module = nn.Linear(2, 2)
    last = torch.empty(2, 2)

    def loss(batch):
        last.copy_(module.weight.detach())
        return module.weight.sum() + module.bias.sum(), {}

    train(module, [Phase("only", 50, 1, 0.02, 0.9, lambda: module, the_step, loss)], tmp_path, {})
    assert module.weight.sum() > last.sum()


def poisoned(when, what):
    """A phase whose loss, or whose gradient alone, is not finite from step `when` on."""
    module = nn.Linear(3, 3)

    def loss(batch):
        good = module(torch.ones(1, 3)).square().sum()
        if batch.plan[0] < when:
            return good, {}
        bad = good * math.nan if what == "loss" else good + (module.weight * 0).abs().sqrt().sum()
        return bad, {}

    return module, Phase("second", 10, 1, 0.01, 0.9, lambda: module, the_step, loss)


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


class LateSteps(Steps):
    """Steps on the processor that do not wait for what they compute, as those on a GPU."""

    finite = True

    def take(self, step):
        try:
            self.taken = super().take(step)
        except NotFinite:
            self.finite = False
        return self.taken

    def settle(self):
        if not self.finite:
            raise NotFinite(Taken(torch.tensor(math.nan), self.taken.norm, {}), sound=False)


@pytest.mark.parametrize("save_every", [0, math.inf])
def test_a_loss_whose_step_is_not_known_is_not_said_to_have_left_a_checkpoint(tmp_path, monkeypatch, save_every):
    monkeypatch.setattr("models.training.steps_of", lambda phase, device: LateSteps(phase))
    module, phase = poisoned(6, "loss")
    noticed = 8 if save_every == 0 else 10  # before a checkpoint would be made, else with the next row of the metrics
    said = f"the loss is not finite at step {noticed} of the phase second or before; nothing since the last checkpoint"
    with pytest.raises(TrainingError, match=f"^{said} is kept$"):
        train(module, [replace(phase, steps=1000)], tmp_path, {}, save_every=save_every)
    assert (tmp_path / CHECKPOINT).exists() == (save_every == 0)
    if save_every == 0:
        assert load_training(tmp_path / CHECKPOINT)[1]["step"] == 6


def test_episodes_too_short_for_the_horizon_are_refused(dataset, tiny, tmp_path):
    with pytest.raises(ValueError, match=r"at least 52 timesteps long for memory 2 and horizon 50, .* have 10$"):
        train_world_model(tiny, replace(SHORT, horizons=(2, 3, 50)), dataset, tmp_path)


def test_a_long_training_has_a_row_now_and_then_and_one_of_its_last_step_which_is_looked_at(tmp_path):
    module, phase = poisoned(math.inf, "loss")
    looked: list[int] = []
    rows: list[int] = []

    def look():
        looked.append(rows[-1] if rows else 0)
        return {}, None

    long = replace(phase, steps=1001, look=look)
    train(module, [long], tmp_path, {}, on_step=lambda phase, step, row, film: rows.append(step))
    assert rows == [*range(5, 1001, 5), 1001]
    assert looked == [120 + 125 * i for i in range(8)] + [1000]  # the row before each
