"""The training of a pod with several GPUs: a process for each, which are told, saved and ended together.

There being none, the processes train on the processor. python -m pytest tests/components/test_on_all_gpus.py
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from kfp import dsl
from tiny_run import PROJECT, TINY
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

import models.train_world_model
from components import distributed
from components.distributed import on_all_gpus, processes
from components.learn_world_model import learn_world_model
from components.plan import plan
from components.storage import MANIFEST, children, verified, writing
from components.train_world_model import train_world_model
from models.checkpoint import load_training, load_world_model
from models.dataset import write_shard
from models.training import CHECKPOINT, METRICS, TrainingError
from sim_core.episodes import random_episodes
from sim_core.world import World

STEPS = 120
LENGTHS = {f"world_model_training.{phase}_steps": steps for phase, steps in (("autoencoder", STEPS), ("dynamics", 3))}
CONFIG = dict(
    zip(plan.component_spec.outputs, plan.python_func("smoke", 1, {**TINY, **LENGTHS}), strict=True),
)["world_model"]


@pytest.fixture
def two(monkeypatch):
    """As in a pod with two GPUs."""
    monkeypatch.setattr(distributed, "processes", lambda: 2)


@pytest.fixture
def shard(tmp_path):
    with writing(tmp_path / "episodes") as folder:
        write_shard(folder, [random_episodes("training", range(32), 16, World())], World())
    return tmp_path / "episodes"


def given(path):
    return dsl.Artifact(name=Path(path).name, uri=str(path), metadata={})


def learn(root, shard, start_from="", **training):
    world_model = root / "dreamblock" / "first" / "train-world-model" / "0" / "world_model"
    config = {**CONFIG, "training": {**CONFIG["training"], **training}}
    with writing(root / "initial"):
        pass
    train_world_model.python_func(config, [given(shard)], given(root / "initial"), given(world_model), start_from)
    return world_model


def checkpoints(root):
    return root / "dreamblock" / "first" / "checkpoints" / "train-world-model"


def rows(folder):
    return [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]


def ranks_of(parent):
    """The process ids of the children of a process."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(number) for number in text.split()]


def is_there(process):
    return Path(f"/proc/{process}").exists()


PROGRAM = (
    "import os, sys; sys.path.append('tests/components')\n"
    "from pathlib import Path\n"
    "import test_on_all_gpus as this\n"
    "this.distributed.processes = lambda: 2\n"
    "os.environ['_KFP_RUNTIME'] = 'true'\n"
    "this.learn(*map(Path, sys.argv[1:]))\n"
)


@contextmanager
def at_work(root, shard, *shell):
    """A process, or a shell with it, in which two train and have told of a step."""
    command = [*shell, sys.executable, "-c", PROGRAM, str(root), str(shard)]
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"}
    with subprocess.Popen(command, env=environment, cwd=PROJECT, stdout=subprocess.PIPE) as process:
        metrics = checkpoints(root) / METRICS
        while not (metrics.exists() and metrics.read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        yield process


def test_two_save_when_the_shell_of_their_container_alone_is_told_to_stop(tmp_path, shard):
    with at_work(tmp_path, shard, "sh", "-c", '"$@"; exit $?', "sh") as shell:
        shell.terminate()
        shell.communicate()  # until nobody has the pipe any more, which is when the training has ended
    reached = load_training(checkpoints(tmp_path) / CHECKPOINT)[1]
    assert (reached["phase"], 0 < reached["step"] < STEPS) == (0, True)


def test_two_that_are_told_to_stop_save_and_their_retry_goes_on_to_the_artifact(tmp_path, shard, two):
    with at_work(tmp_path, shard) as process:
        ranks = ranks_of(process.pid)
        process.terminate()
        asked = time.monotonic()
        assert process.wait() == 128 + signal.SIGTERM
    assert time.monotonic() - asked < 15
    assert len(ranks) == 2
    assert not any(map(is_there, ranks))
    reached = load_training(checkpoints(tmp_path) / CHECKPOINT)[1]
    assert (reached["phase"], 0 < reached["step"] < STEPS) == (0, True)

    world_model = learn(tmp_path, shard)
    assert {file.name for file in verified(world_model).iterdir()} == {
        *("weights.safetensors", "model.json"),
        *(METRICS, MANIFEST),
    }
    assert load_world_model(world_model).config.size == 32
    found = rows(world_model)
    assert found[: len(reached["rows"])] == reached["rows"], "what was before the stop is from there"
    assert len(found) == len({(row["phase"], row["step"]) for row in found}) == STEPS + 3 + 3
    assert (tmp_path / "dreamblock" / "first" / "tensorboard" / "train-world-model").exists()


@pytest.mark.long
def test_a_loss_that_turned_nan_ends_both_and_no_retry_tries_again(tmp_path, shard, two):
    before, others = signal.getsignal(signal.SIGTERM), ranks_of(os.getpid())
    with writing(tmp_path / "poisoned") as folder:
        for file in verified(shard).iterdir():
            if file.name != MANIFEST:
                (folder / file.name).write_bytes(file.read_bytes())
        np.save(folder / "forces.npy", np.full_like(np.load(folder / "forces.npy"), np.nan))
    with pytest.raises(TrainingError, match=r"^the loss is not finite at step 1 of the phase dynamics; ") as error:
        learn(tmp_path, tmp_path / "poisoned", autoencoder_steps=1)
    with pytest.raises(TrainingError) as again:
        learn(tmp_path, tmp_path / "poisoned", autoencoder_steps=1)
    assert str(again.value) == str(error.value)
    assert len(rows(checkpoints(tmp_path))) == 1
    assert signal.getsignal(signal.SIGTERM) is before
    assert set(ranks_of(os.getpid())) <= set(others)


class Killed(Exception):
    """Stands in for the signal that ends a training between two instructions."""


@pytest.mark.long
def test_both_go_on_from_a_checkpoint_in_a_bucket_and_start_over_where_it_is_of_another_training(
    tmp_path, bucket, shard, two, monkeypatch
):
    run = f"{bucket}/dreamblock/first"
    output = (str(tmp_path / "world_model"), f"{run}/train-world-model/0/world_model")
    arguments = (CONFIG, [str(shard)], "", *output, "")

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(models.train_world_model, "latent_loss", killed)
        with pytest.raises(Killed):
            learn_world_model(*arguments)
    assert children(f"{run}/checkpoints/train-world-model") == ["1"], "that at the end of the first phase"
    on_all_gpus(learn_world_model, *arguments)
    assert sorted(children(f"{run}/checkpoints/train-world-model")) == ["2", "3"], "those of the other two phases"
    assert len(rows(verified(tmp_path / "world_model"))) == STEPS + 3 + 3

    other = {**CONFIG, "training": {**CONFIG["training"], "autoencoder_steps": 2}}
    on_all_gpus(learn_world_model, other, *arguments[1:])
    assert len(rows(verified(tmp_path / "world_model"))) == 2 + 3 + 3, "started over"


def test_an_error_of_one_ends_both_and_is_told(tmp_path, shard, two):
    """The other waits meanwhile to be told of the checkpoints."""
    others = ranks_of(os.getpid())
    with pytest.raises(ValueError, match=r"^there is no run 'nowhere' in .* to start from$"):
        learn(tmp_path, shard, "nowhere")
    assert set(ranks_of(os.getpid())) <= set(others)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (["RuntimeError: the connection is closed by a peer", "OSError: the disk is full: 0 bytes"], OSError),
        (["StorageError: no", "RuntimeError: the connection is closed by a peer"], distributed.StorageError),
        (["KeyError: 'weights'", "RuntimeError: the connection is closed by a peer"], RuntimeError),
        ([None, None], RuntimeError),
    ],
)
def test_what_is_told_is_the_error_and_not_that_the_other_has_gone(errors, expected, two, monkeypatch, tmp_path):
    failures = {}
    for rank, error in enumerate(errors):
        file = tmp_path / f"{rank}.json"
        if error:
            file.write_text(json.dumps({"message": {"message": error, "extraInfo": {"timestamp": str(rank)}}}))
        failures[rank] = ProcessFailure(local_rank=rank, pid=1, exitcode=-9, error_file=str(file))

    class Launcher:
        def __init__(self, *_): ...

        def __call__(self, *_):
            raise ChildFailedError("the training", failures)

    monkeypatch.setattr("torch.distributed.launcher.api.elastic_launch", Launcher)
    with pytest.raises(expected) as told:
        on_all_gpus(learn_world_model)
    if expected is RuntimeError:
        assert str(told.value) == "process 0 of the training ended with exit code -9; what it said is above"
    else:
        assert f"{expected.__name__}: {told.value}" in errors


@pytest.mark.parametrize(("in_a_pod", "gpus", "expected"), [(True, 4, 4), (True, 0, 1), (False, 4, 1)])
def test_a_training_has_a_process_for_each_gpu_of_its_pod(monkeypatch, in_a_pod, gpus, expected):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    if in_a_pod:
        monkeypatch.setenv("_KFP_RUNTIME", "true")
    assert processes() == expected
