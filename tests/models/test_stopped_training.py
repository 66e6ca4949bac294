"""A training that is stopped: killed anywhere it goes on to the same bytes, and told to stop it saves first.

python -m pytest tests/models/test_stopped_training.py
"""

import errno
import math
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from short_trainings import SHORT

from models.checkpoint import INCOMING, load_training, save_training
from models.config import WorldModelConfig, WorldModelTraining
from models.dataset import Dataset
from models.train_world_model import train_world_model
from models.training import CHECKPOINT, METRICS, OtherTraining
from sim_core.world import World


class Killed(Exception):
    """Stands in for the signal that ends a training between two instructions."""


def history(folder):
    """The bytes of every checkpoint that a training writes, by phase and step, as an option for the loop."""
    seen: dict[tuple[int, int], set[bytes]] = {}

    def on_save():
        _, facts = load_training(folder / CHECKPOINT)
        seen.setdefault((facts["phase"], facts["step"]), set()).add((folder / CHECKPOINT).read_bytes())

    return seen, on_save


def kill_at(row):
    count = 0

    def on_step(*_):
        nonlocal count
        count += 1
        if count == row:
            raise Killed

    return on_step


@pytest.mark.parametrize("learner", ["world model", "refined world model", "endless world model", "policy"])
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
        every = float(draw.choice([0, math.inf]))
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


def test_a_checkpoint_of_another_training_is_refused_and_what_differs_is_named(dataset, tiny, tmp_path):
    train_world_model(tiny, SHORT, dataset, tmp_path, inputs={"code": "a", "episodes": ["b"]})
    whole = (tmp_path / CHECKPOINT).read_bytes()
    for config, training, inputs, others in (
        (tiny, replace(SHORT, dynamics_rate=0.02), {"code": "a", "episodes": ["b"]}, "training"),
        (replace(tiny, mlp=16), SHORT, {"code": "a", "episodes": ["b"]}, "world_model"),
        (tiny, SHORT, {"code": "c", "episodes": ["b"]}, "code"),
        (tiny, SHORT, {"code": "c", "episodes": ["b", "d"]}, "code, episodes"),
        (tiny, SHORT, None, "code, episodes"),
    ):
        with pytest.raises(OtherTraining, match=f"is the checkpoint of another training: other {others}$"):
            train_world_model(config, training, dataset, tmp_path, inputs=inputs)
    assert (tmp_path / CHECKPOINT).read_bytes() == whole


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused_and_left_as_it_is(learners, tmp_path, share):
    learners["policy"](tmp_path)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    part = whole[: int(share * len(whole))]
    (tmp_path / CHECKPOINT).write_bytes(part)
    with pytest.raises(ValueError, match=r"is not the state of a training.*; remove it to start over$"):
        learners["policy"](tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == part


def test_a_bit_that_flipped_in_a_checkpoint_is_noticed_wherever_it_is(learners, tmp_path):
    with pytest.raises(Killed):
        learners["policy"](tmp_path, save_every=0, on_step=kill_at(5))
    whole = (tmp_path / CHECKPOINT).read_bytes()
    for place in np.random.default_rng(0).integers(8 * len(whole), size=50):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        (tmp_path / CHECKPOINT).write_bytes(flipped)
        with pytest.raises(ValueError, match=r"training\.safetensors .*; remove it to start over$"):
            learners["policy"](tmp_path)


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before_and_no_litter(learners, tmp_path):
    model = learners["policy"](tmp_path)
    (tmp_path / CHECKPOINT).with_suffix(f".123{INCOMING}").write_bytes(b"half of a checkp")
    again = learners["policy"](tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [METRICS, CHECKPOINT]
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))


def test_a_row_of_the_metrics_that_was_cut_off_is_written_anew(learners, tmp_path):
    with pytest.raises(Killed):
        learners["policy"](tmp_path / "cut", save_every=0, on_step=kill_at(9))
    with (tmp_path / "cut" / METRICS).open("a") as file:
        file.write('{"phase": "policy", "st')
    learners["policy"](tmp_path / "cut")
    learners["policy"](tmp_path / "whole")
    assert (tmp_path / "cut" / METRICS).read_bytes() == (tmp_path / "whole" / METRICS).read_bytes()


def test_the_metrics_come_back_with_the_checkpoint(learners, tmp_path):
    """So that one file is all of it, and nothing has to be kept in step with it."""
    learners["policy"](tmp_path / "whole")
    with pytest.raises(Killed):
        learners["policy"](tmp_path / "moved", save_every=0, on_step=kill_at(9))
    (tmp_path / "moved" / METRICS).unlink()
    learners["policy"](tmp_path / "moved")
    assert (tmp_path / "moved" / METRICS).read_bytes() == (tmp_path / "whole" / METRICS).read_bytes()


class Stopped(Exception):
    """What a handler of the caller does about a signal."""


@pytest.fixture
def on_signal():
    """Installs a handler of SIGTERM until the test ends."""
    before = signal.getsignal(signal.SIGTERM)
    yield lambda action: signal.signal(signal.SIGTERM, action)
    signal.signal(signal.SIGTERM, before)


def raise_stopped(*_):
    raise Stopped


def told_at(row, number):
    """An option for the loop: the signal comes in the middle of the step that makes this row."""
    count = 0

    def on_step(*_):
        nonlocal count
        count += 1
        if count == row:
            signal.raise_signal(number)

    return on_step


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGTERM, Stopped), (signal.SIGINT, KeyboardInterrupt)], ids=["SIGTERM", "Ctrl-C"]
)
def test_a_training_told_to_stop_saves_first_and_loses_nothing(learners, tmp_path, on_signal, number, expected):
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    learners["policy"](straight)
    on_signal(raise_stopped)
    with pytest.raises(expected):
        learners["policy"](stopped, save_every=math.inf, on_step=told_at(7, number))
    assert load_training(stopped / CHECKPOINT)[1]["step"] == 7
    assert signal.getsignal(signal.SIGTERM) is raise_stopped, "as it was"
    learners["policy"](stopped)
    assert (stopped / CHECKPOINT).read_bytes() == (straight / CHECKPOINT).read_bytes()
    assert (stopped / METRICS).read_bytes() == (straight / METRICS).read_bytes()


def test_a_training_told_to_stop_stops_even_where_the_signal_does_nothing(learners, tmp_path, on_signal):
    """As in the first process of a container."""
    on_signal(lambda *_: None)
    with pytest.raises(SystemExit) as stop:
        learners["policy"](tmp_path, save_every=math.inf, on_step=told_at(7, signal.SIGTERM))
    assert stop.value.code == 143
    assert load_training(tmp_path / CHECKPOINT)[1]["step"] == 7


def test_a_signal_that_the_program_ignores_is_ignored_by_the_training_too(learners, tmp_path, on_signal):
    on_signal(signal.SIG_IGN)
    learners["policy"](tmp_path, on_step=told_at(7, signal.SIGTERM))


def test_a_training_runs_outside_of_the_main_thread_too(learners, tmp_path):
    thread = threading.Thread(target=learners["policy"], args=(tmp_path,))
    thread.start()
    thread.join()
    assert load_training(tmp_path / CHECKPOINT)[1]["phase"] == 1


def test_a_disk_that_cannot_be_written_is_named_and_leaves_the_checkpoint_before(learners, tmp_path, monkeypatch):
    with pytest.raises(Killed):
        learners["policy"](tmp_path, save_every=0, on_step=kill_at(5))
    whole = (tmp_path / CHECKPOINT).read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("models.checkpoint.os.fsync", full)
    with pytest.raises(OSError, match=r"^the checkpoint .*/training.safetensors cannot be written: No space left"):
        learners["policy"](tmp_path, save_every=0)
    assert (tmp_path / CHECKPOINT).read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == [METRICS, CHECKPOINT]


@pytest.mark.long
def test_a_checkpoint_every_two_seconds_costs_less_than_two_percent_of_the_time(write_episodes, tmp_path, monkeypatch):
    dataset = Dataset([write_episodes(tmp_path / "episodes", World(), range(256), 16)])
    spent = []

    def timed(*arguments):
        began = time.perf_counter()
        save_training(*arguments)
        spent.append(time.perf_counter() - began)

    monkeypatch.setattr("models.training.save_training", timed)
    training = WorldModelTraining(autoencoder_steps=40, dynamics_steps=40, decoder_steps=40)
    train_world_model(WorldModelConfig(), training, dataset, tmp_path, save_every=0)
    print(f"{len(spent)} checkpoints of {np.mean(spent) * 1000:.1f} ms: {np.mean(spent) / 60:.2%} of a minute")
    assert len(spent) == 120
    assert np.mean(spent) < 0.02 * 2
