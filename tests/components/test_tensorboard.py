"""TensorBoard's curves of a training, read back by TensorBoard: nothing lost, nothing doubled, whatever was killed.

python -m pytest tests/components/test_tensorboard.py
"""

import io
import json
from collections.abc import Callable

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from components.tensorboard import curves
from components.training import SECONDS, resumable
from models.phase import Batch, Phase
from models.training import LOOKED_AT, METRICS, train

STEPS = 60
TAGS = {"samples", "loss", "gradient_norm", "learning_rate", "error", "samples_per_second"}


class Killed(Exception):
    """Stands in for the signal that ends a training between two instructions."""


def picture(module):
    """A film of the weights: the same ones give the same, others another."""
    return module.weight.detach().sigmoid().numpy()[:, :, None].repeat(3, axis=2)


@pytest.fixture
def learn(tmp_path, monkeypatch) -> Callable[..., None]:
    """Trains in a step of the run `first`, up to the one in which it is killed."""

    def learn(killed_at=None, checkpoints="3600", code="a"):
        module = nn.Linear(6, 5)
        nn.init.constant_(module.weight, 0.5)

        def draw(step):
            if step + 1 == killed_at:
                raise Killed
            return Batch((), ())

        def loss(batch):
            return module(torch.ones(1, 6)).square().sum(), {}

        def look():
            return {"error": float(module.weight.detach().sum())}, picture(module)

        def learner(folder, inputs, **options):
            phase = Phase("only", STEPS, 7, 0.02, 0.9, lambda: module, draw, loss, look)
            train(module, [phase], folder, inputs, **options)
            return module

        monkeypatch.setenv(SECONDS, checkpoints)
        return resumable(learner, str(tmp_path / "dreamblock/first/learn/0/module"), {"code": code}, "")

    return learn


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "dreamblock" / "first" / "tensorboard" / "learn"


def shown(folder):
    """What a TensorBoard that is started now shows: points by tag, with their step, time and value."""
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    curves = {tag: [(e.step, e.wall_time, e.value) for e in accumulator.Scalars(tag)] for tag in tags["scalars"]}
    films = {
        tag: [(e.step, e.wall_time, e.encoded_image_string) for e in accumulator.Images(tag)] for tag in tags["images"]
    }
    return curves, films


def steps(points):
    return [step for step, *_ in points]


def test_the_curves_are_those_of_the_metrics_and_the_throughput(learn, folder):
    module, rows = learn()
    curves, films = shown(folder)
    assert set(curves) == {f"only/{name}" for name in TAGS}
    expected = [json.loads(row) for row in rows.splitlines()]
    for name in TAGS - {"samples_per_second"}:
        points = [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in expected if name in row]
        assert [(step, value) for step, _, value in curves[f"only/{name}"]] == points
    assert expected[-1]["samples"] == 7 * STEPS
    assert all(value > 0 for *_, value in curves["only/samples_per_second"])
    assert steps(films["only/film"]) == [LOOKED_AT, 2 * LOOKED_AT, STEPS]
    last = imageio.imread(io.BytesIO(films["only/film"][-1][2]))
    assert np.abs(last / 255 - picture(module)).max() < 1 / 255


def test_the_curves_go_on_after_kills_without_a_gap_and_without_a_point_twice(learn, folder):
    for killed_at, checkpoints in ((12, "0"), (48, "3600"), (30, "0")):
        with pytest.raises(Killed):
            learn(killed_at, checkpoints)
    before, _ = shown(folder)
    _, rows = learn()
    curves, films = shown(folder)
    assert len(rows.splitlines()) == STEPS
    for name in TAGS - {"error", "samples_per_second"}:
        assert steps(curves[f"only/{name}"]) == list(range(1, STEPS + 1))
    assert steps(curves["only/error"]) == steps(films["only/film"]) == [LOOKED_AT, 2 * LOOKED_AT, STEPS]
    assert curves["only/loss"][:29] == before["only/loss"], "with the times at which they were made"
    assert sum(file.stat().st_size > 0 for file in folder.iterdir()) == 1
    assert len(list(folder.iterdir())) == 2


def test_a_tensorboard_that_is_running_sees_the_same(learn, folder):
    with pytest.raises(Killed):
        learn(20, "0")
    with pytest.raises(Killed):
        learn(40, "3600")
    running = EventAccumulator(str(folder))
    running.Reload()
    assert steps((e.step, e) for e in running.Scalars("only/loss")) == list(range(1, 40))
    learn()
    running.Reload()
    assert steps((e.step, e) for e in running.Scalars("only/loss")) == list(range(1, STEPS + 1))


@pytest.mark.parametrize("damage", ["torn", "garbage", "gone", "empty"])
def test_what_was_lost_of_the_files_comes_back_from_the_checkpoint(learn, folder, damage):
    with pytest.raises(Killed):
        learn(30, "0")
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"torn": whole[: len(whole) // 2], "garbage": whole[:400] + b"\1" * 99, "empty": b""}[damage])
    learn()
    assert steps(shown(folder)[0]["only/loss"]) == list(range(1, STEPS + 1))


def test_of_another_training_nothing_is_left(learn, folder):
    with pytest.raises(Killed):
        learn(30, "0")
    with pytest.raises(Killed):
        learn(4, code="b")
    assert steps(shown(folder)[0]["only/loss"]) == [1, 2, 3]


def test_a_run_in_a_bucket_leaves_no_files_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = curves("gs://bucket/dreamblock/first/learn/0/module", tmp_path / METRICS)
    draw(
        Phase("only", 1, 1, 0.02, 0.9, nn.Module, lambda step: Batch((), ()), lambda batch: (torch.ones(()), {})),
        1,
        {"samples": 1, "loss": 1.0},
        None,
    )
    assert not list(tmp_path.iterdir())
