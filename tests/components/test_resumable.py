"""Trainings that are stopped and tried again: from their checkpoint, from another run's, and never in vain.

python -m pytest tests/components/test_resumable.py
"""

import math
import os
import signal
import time

import pytest
import torch
from cluster import Cluster
from kfp import dsl
from tiny_run import TINY

import models.train_policy
from components.check import check
from components.fingerprint import Code
from components.plan import plan
from components.storage import verified, writing
from components.train_policy import train_policy
from components.training import SECONDS
from models.checkpoint import load_training, save_world_model
from models.config import PolicyConfig, WorldModelConfig
from models.dataset import write_shard
from models.losses import target_distance
from models.policy import Policy
from models.policy_checkpoint import save_policy
from models.training import CHECKPOINT, METRICS, TrainingError
from models.world_model import WorldModel
from sim_core.episodes import random_episodes
from sim_core.world import World

PLANNED = dict(
    zip(
        plan.component_spec.outputs,
        plan.python_func("smoke", 1, {**TINY, "policy_training.steps": 9}),
        strict=True,
    )
)


class Killed(Exception):
    """Stands in for the signal that ends a training between two instructions."""


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    shard = tmp_path_factory.mktemp("dataset") / "episodes"
    with writing(shard) as folder:
        write_shard(folder, [random_episodes("training", range(32), 16, World())], World())
    return shard


@pytest.fixture(scope="module")
def world_model(tmp_path_factory):
    world_model = tmp_path_factory.mktemp("teacher") / "world_model"
    with writing(world_model) as folder:
        save_world_model(folder, WorldModel(WorldModelConfig()), World())
    return world_model


class Steps:
    """The training steps of the policy since the test has said what becomes of their loss."""

    def __init__(self):
        self.done, self.factor = 0, lambda step: 1

    def from_now_on(self, factor=lambda step: 1):
        self.done, self.factor = 0, factor

    def distance(self, places, targets):
        self.done += 1
        return self.factor(self.done) * target_distance(places, targets)


@pytest.fixture
def steps(monkeypatch):
    steps = Steps()
    monkeypatch.setattr(models.train_policy, "target_distance", steps.distance)
    return steps


def given(path):
    return dsl.Artifact(name=str(path).rpartition("/")[2], uri=str(path), metadata={})


def killed_at(when):
    def factor(step):
        if step == when:
            raise Killed
        return 1

    return factor


def learn(root, shard, world_model, run="first", execution="0", start_from="", initial=None):
    """Train the policy in a step of its own, as a run would: the artifact's folder."""
    policy = root / "dreamblock" / run / "train-policy" / execution / "policy"
    inputs = given(world_model), given(initial or nothing(root))
    train_policy.python_func(PLANNED["policy"], [given(shard)], *inputs, given(policy), start_from)
    return policy


def nothing(root):
    """No weights to begin from, as the step `start` says it."""
    with writing(root / "initial"):
        pass
    return root / "initial"


def contents(folder):
    return {file.name: file.read_bytes() for file in verified(folder).iterdir()}


def kept(root, run="first", task="train-policy"):
    return load_training(root / "dreamblock" / run / "checkpoints" / task / CHECKPOINT)[1]


@pytest.fixture(scope="module")
def straight(tmp_path_factory, shard, world_model):
    """What the policy is when nothing happens to its training."""
    return contents(learn(tmp_path_factory.mktemp("straight"), shard, world_model))


def test_a_retry_goes_on_from_the_checkpoint_and_ends_with_the_same_bytes(
    tmp_path, shard, world_model, straight, steps, monkeypatch
):
    monkeypatch.setenv(SECONDS, "0")
    steps.from_now_on(killed_at(6))
    with pytest.raises(Killed):
        learn(tmp_path, shard, world_model)
    assert kept(tmp_path)["step"] == 5
    steps.from_now_on()
    assert contents(learn(tmp_path, shard, world_model, execution="a-new-pod")) == straight
    assert steps.done == 4


def test_a_new_run_goes_on_from_the_checkpoint_of_the_run_that_it_is_told(
    tmp_path, shard, world_model, straight, steps, monkeypatch
):
    monkeypatch.setenv(SECONDS, "0")
    steps.from_now_on(killed_at(6))
    with pytest.raises(Killed):
        learn(tmp_path, shard, world_model)
    steps.from_now_on()
    assert contents(learn(tmp_path, shard, world_model, "second", start_from="first")) == straight
    assert steps.done == 4
    assert (kept(tmp_path)["step"], kept(tmp_path, "second")["phase"]) == (5, 1), "the other run's is left alone"


def test_its_own_checkpoint_comes_before_that_of_another_run(tmp_path, shard, world_model, steps, monkeypatch):
    monkeypatch.setenv(SECONDS, "0")
    for run, when in (("first", 3), ("second", 7)):
        steps.from_now_on(killed_at(when))
        with pytest.raises(Killed):
            learn(tmp_path, shard, world_model, run)
    steps.from_now_on()
    learn(tmp_path, shard, world_model, "second", start_from="first")
    assert steps.done == 3


@pytest.mark.parametrize("start_from", ["third", "../first", "..", "first/checkpoints"])
def test_a_run_to_start_from_that_is_not_there_is_refused_by_name(tmp_path, shard, world_model, steps, start_from):
    learn(tmp_path, shard, world_model)
    steps.from_now_on()
    with pytest.raises(ValueError, match=rf"^[^\n]*{start_from}[^\n]*$"):
        learn(tmp_path, shard, world_model, "second", start_from=start_from)
    assert steps.done == 0


@pytest.mark.parametrize("other", ["code", "episodes", "initial", "world_model"])
def test_a_checkpoint_of_other_code_or_inputs_is_started_over_and_said(
    tmp_path, shard, world_model, steps, monkeypatch, capsys, other
):
    monkeypatch.setenv(SECONDS, "0")
    steps.from_now_on(killed_at(6))
    with pytest.raises(Killed):
        learn(tmp_path, shard, world_model)
    capsys.readouterr()
    initial = nothing(tmp_path)
    if other == "initial":
        with torch.random.fork_rng(), writing(initial) as folder:
            save_policy(
                folder, Policy(PolicyConfig(**PLANNED["policy"]["policy"]), WorldModelConfig()), WorldModelConfig()
            )
    elif other == "code":
        monkeypatch.setattr(Code, "reached", lambda self, source: {"models.policy": "edited"})
    elif other == "episodes":
        with writing(tmp_path / "episodes") as folder:
            write_shard(folder, [random_episodes("training", range(32, 64), 16, World())], World())
        shard = tmp_path / "episodes"
    else:
        with writing(tmp_path / "world_model") as folder:
            save_world_model(folder, WorldModel(WorldModelConfig()), World())
        world_model = tmp_path / "world_model"
    steps.from_now_on()
    learn(tmp_path, shard, world_model, execution="again", initial=initial)
    assert steps.done == 9
    assert f"is the checkpoint of another training: other {other}; starting over" in capsys.readouterr().err


def test_a_loss_that_turned_nan_is_not_tried_again_by_a_retry(tmp_path, shard, world_model, steps):
    steps.from_now_on(lambda step: math.nan if step == 3 else 1)
    with pytest.raises(TrainingError, match="the loss is not finite at step 3 of the phase policy") as first:
        learn(tmp_path, shard, world_model)
    steps.from_now_on()
    with pytest.raises(TrainingError) as second:
        learn(tmp_path, shard, world_model, execution="a-new-pod")
    assert str(second.value) == str(first.value)
    assert steps.done == 0


def test_once_the_code_is_mended_what_had_failed_is_tried_again(tmp_path, shard, world_model, steps, monkeypatch):
    steps.from_now_on(lambda step: math.nan if step == 3 else 1)
    with pytest.raises(TrainingError):
        learn(tmp_path, shard, world_model)
    monkeypatch.setattr(Code, "reached", lambda self, source: {"models.policy": "mended"})
    steps.from_now_on()
    learn(tmp_path, shard, world_model, execution="again")
    assert steps.done == 9


def test_a_failed_check_is_not_tried_again_by_a_retry(tmp_path, world_model, monkeypatch):
    def judge(execution, largest_error=0.01):
        config = {**PLANNED["check"], "check": {**PLANNED["check"]["check"], "largest_error": largest_error}}
        metrics = tmp_path / "dreamblock" / "first" / "check" / execution / "metrics"
        check.python_func(config, given(world_model), dsl.Metrics(uri=str(metrics)))

    with pytest.raises(TrainingError, match="too poor to teach a policy") as first:
        judge("0")
    with monkeypatch.context() as patched:
        patched.setattr("models.dream_figures.dream_errors", lambda *_: pytest.fail("it was tried again"))
        with pytest.raises(TrainingError) as second:
            judge("a-new-pod")
    assert str(second.value) == str(first.value)
    judge("another-bound", largest_error=100)


def test_the_environment_says_how_often_a_checkpoint_is_made(tmp_path, shard, world_model, steps, monkeypatch):
    for seconds, expected in (("0", True), ("0.0", True), ("3600", False)):
        monkeypatch.setenv(SECONDS, seconds)
        steps.from_now_on(killed_at(6))
        with pytest.raises(Killed):
            learn(tmp_path / seconds, shard, world_model)
        assert (tmp_path / seconds / "dreamblock/first/checkpoints/train-policy" / CHECKPOINT).exists() == expected


@pytest.mark.parametrize("text", ["soon", "", "-1", "nan", "1,5"])
def test_a_time_between_checkpoints_that_is_none_is_refused(tmp_path, shard, world_model, monkeypatch, text):
    monkeypatch.setenv(SECONDS, text)
    with pytest.raises(ValueError, match=f"^{SECONDS} must be a number of seconds, got '{text}'$"):
        learn(tmp_path, shard, world_model)


def test_the_time_between_checkpoints_is_no_part_of_what_a_training_is(
    tmp_path, shard, world_model, straight, monkeypatch
):
    monkeypatch.setenv(SECONDS, "0.001")
    assert contents(learn(tmp_path, shard, world_model)) == straight


# The compiled command, in which a shell is the parent


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    return Cluster(tmp_path_factory.mktemp("cluster"))


def rows(folder):
    return (folder / METRICS).read_text().count("\n") if (folder / METRICS).exists() else 0


def test_a_pod_that_is_told_to_stop_saves_and_its_retry_goes_on_from_there(cluster, shard):
    """As when a spot node is taken away, which leaves 15 s. The next checkpoint would have been made after 60."""
    training = {**PLANNED["world_model"]["training"], "autoencoder_steps": 20000, "autoencoder_batch": 1}
    config = {**PLANNED["world_model"], "training": training}
    folder = cluster.root / "checkpoints" / "train-world-model"
    reached = []
    for told in ("everybody", "the shell alone"):
        inputs = {"episodes": [shard], "initial": [nothing(cluster.folder)]}
        process, _ = cluster.start("train-world-model", {"config": config}, inputs, told)
        with process:
            before = rows(folder)
            while rows(folder) == before:
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            if told == "everybody":
                os.killpg(process.pid, signal.SIGTERM)
            else:
                process.terminate()
            asked = time.monotonic()
            process.communicate()  # until nobody has the pipes any more, which is when the training has ended
        assert time.monotonic() - asked < 15
        assert process.returncode != 0
        reached.append(load_training(folder / CHECKPOINT)[1]["step"])
    assert 0 < reached[0] < reached[1]
