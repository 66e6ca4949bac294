"""Two processes that train together, gloo's on the processor for want of GPUs, against one with the same batches.

python -m pytest tests/models/test_distributed.py
"""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_together import train

from models.checkpoint import load_training, save_world_model
from models.training import CHECKPOINT, METRICS, TrainingError
from models.world_model import WorldModel

TRAININGS: dict[str, dict[str, Any]] = {
    "world model": {
        "seed": 3,
        "autoencoder_steps": 12,
        "autoencoder_batch": 8,
        "dynamics_steps": 20,
        "dynamics_batch": 8,
        "decoder_steps": 6,
        "horizons": (2, 3, 4),
    },
    "policy": {"seed": 3, "steps": 16, "batch": 8, "horizon": 3},
}
TRAININGS["endless world model"] = TRAININGS["world model"]
MIDDLE = {
    "world model": "1 12",
    "endless world model": "1 12",
    "policy": "0 10",
}  # the checkpoints that are gone on from


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, write_episodes, world, tiny):
    """Makes the description of a training, as JSON, for a folder of this name."""
    folder = tmp_path_factory.mktemp("trainings")
    shards = {name: write_episodes(folder / name, world, range(64), 9) for name in ("sound", "poisoned")}
    forces = np.load(shards["poisoned"] / "forces.npy")
    forces[20] = np.nan
    np.save(shards["poisoned"] / "forces.npy", forces)
    torch.manual_seed(0)
    (folder / "teacher").mkdir()
    save_world_model(folder / "teacher", WorldModel(tiny), world)

    def job(name, learner, shard="sound", **training):
        return {
            "folder": str(folder / name),
            "shard": str(shards[shard]),
            "learner": learner,
            "training": TRAININGS[learner] | training,
            # Through more layers sums that are rounded otherwise part further.
            "architecture": dataclasses.asdict(dataclasses.replace(tiny, depth=1, refinements=2)),
            "teacher": str(folder / "teacher"),
        }

    return job


@pytest.fixture(scope="module")
def trained(jobs):
    """The folders of all trainings, by one process and by two."""
    alone = [jobs(f"{learner} by one", learner) for learner in TRAININGS]
    for job in alone:
        train(job)
    together = [jobs(f"{learner} by two", learner) for learner in TRAININGS]
    gone_on = [jobs(f"{learner} by one, then two", learner) for learner in TRAININGS]
    for before, after in zip(alone, gone_on, strict=True):
        start_from(before, after)
    failing = [
        jobs("poisoned", "world model", "poisoned"),
        jobs("odd", "world model", dynamics_batch=9),
    ]
    torchrun(Path(alone[0]["folder"]).with_name("jobs.json"), together + gone_on + failing)
    gone_on = [jobs(f"{learner} by two, then one", learner) for learner in TRAININGS]
    for before, after in zip(together, gone_on, strict=True):
        start_from(before, after)
        train(after)
    return Path(alone[0]["folder"]).parent


def torchrun(file, jobs):
    file.write_text(json.dumps(jobs))
    program = Path(__file__).with_name("train_together.py")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program), str(file)]
    subprocess.run([sys.executable, *command], check=True, timeout=120)


def start_from(before, after):
    Path(after["folder"]).mkdir()
    shutil.copy(Path(before["folder"], MIDDLE[before["learner"]]), Path(after["folder"], CHECKPOINT))


def rows(folder):
    return [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]


@pytest.mark.parametrize("learner", TRAININGS)
@pytest.mark.parametrize("how", ["by two", "by one, then two", "by two, then one"])
def test_as_many_processes_as_you_like_give_the_same_losses_and_weights(trained, learner, how):
    expected, found = rows(trained / f"{learner} by one"), rows(trained / f"{learner} {how}")
    assert [(row["phase"], row["step"]) for row in found] == [(row["phase"], row["step"]) for row in expected]
    for one, other in zip(expected, found, strict=True):
        assert one.keys() == other.keys()
        for figure in {"loss", "final_distance"} & one.keys():
            assert other[figure] == pytest.approx(one[figure], rel=1e-5), one
    weights, _ = load_training(trained / f"{learner} by one" / CHECKPOINT)
    for name, values in load_training(trained / f"{learner} {how}" / CHECKPOINT)[0].items():
        torch.testing.assert_close(values, weights[name], atol=1e-4, rtol=0)


def test_a_checkpoint_of_two_is_made_of_the_same_parts_as_that_of_one(trained):
    for learner, step in MIDDLE.items():
        one, two = (load_training(trained / f"{learner} {how}" / step) for how in ("by one", "by two"))
        assert one[0].keys() == two[0].keys()
        assert one[1]["identity"] == two[1]["identity"]


def test_a_loss_that_is_not_finite_on_one_ends_both_with_the_same_words(trained, jobs):
    with pytest.raises(TrainingError) as alone:
        train(jobs("poisoned alone", "world model", "poisoned"))
    said = [(trained / "poisoned" / f"error of {rank}").read_text() for rank in range(2)]
    assert said == [f"TrainingError: {alone.value}"] * 2
    assert "the loss is not finite at step" in said[0]
    tensors, _ = load_training(trained / "poisoned" / CHECKPOINT)
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_a_batch_that_two_cannot_share_is_refused_before_anything_is_trained(trained):
    for rank in range(2):
        assert (trained / "odd" / f"error of {rank}").read_text() == (
            "ValueError: the batch of the phase dynamics must be a multiple of the 2 processes that share it, got 9"
        )
    assert not (trained / "odd" / METRICS).exists()
