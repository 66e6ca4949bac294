"""A run that is killed with SIGKILL again and again, anywhere, and resumed, ends with the bytes of one left alone.

python -m pytest -m long tests/test_kills.py -s      (KILLS_SEED=... for the same moments once more)
"""

import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import time
from pathlib import Path

import pytest
from tiny_run import RUNNER, SMALL

from components import storage
from models.checkpoint import load_training
from models.training import CHECKPOINT

SEED = int(os.environ.get("KILLS_SEED", time.time_ns() % 10**6))
SETTINGS = {
    **SMALL,
    "data.episodes": 512,
    "data.shards": 2,
    "world_model_training.autoencoder_steps": 200,
    "world_model_training.dynamics_steps": 200,
    "world_model_training.decoder_steps": 100,
    "check.largest_error": 100,
    "policy_training.steps": 200,
    "evaluation.episodes": 10,
}
# Two of the steps do nothing without a champion, and are over before a kill comes.
KILLS = {
    "plan": 1,
    "generate-data": 3,
    "start": 0,
    "train-world-model": 7,
    "check": 1,
    "train-policy": 5,
    "evaluate": 3,
    "promote": 0,
}
STAGES = list(KILLS)
TRAININGS = ("train-world-model", "train-policy")
IMPORTS = 1.3  # CPU seconds, at least, until a step that is resumed has torch

pytestmark = pytest.mark.long


def start(root, *arguments):
    return subprocess.Popen(
        [*RUNNER, "--root", str(root), "--checkpoint-seconds", "0.2", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def begin(root, run_id):
    sets = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    return start(root, "--preset", "smoke", "--no-cache", "--run-id", run_id, *sets)


def resume(root, run_id):
    """As `begin` if the run was killed before there was anything of it."""
    if storage.exists(storage.join(str(root), "dreamblock", run_id, "run.json")):
        return start(root, "--resume", run_id)
    return begin(root, run_id)


def finish(process):
    with process:
        said = process.stderr.read()
    assert process.returncode == 0, said


def tasks(root, run_id):
    text = storage.read_text(storage.join(str(root), "dreamblock", run_id, "run.json"))
    return json.loads(text)["tasks"] if text else []


def results(root, run_id, scratch):
    """The bytes of all that a run's steps made, but for what has its id or the time in it."""
    found = {}
    for task in tasks(root, run_id):
        for name, artifact in task["artifacts"].items():
            if artifact["type"] in ("system.Metrics", "system.HTML", "system.Markdown"):
                continue
            folder = storage.fetch(artifact["uri"], scratch / run_id / task["name"] / task["execution"] / name)
            for file in storage.verified(folder).iterdir():
                if file.name not in (storage.MANIFEST, "report.html"):
                    found[task["name"], task["execution"], file.name] = file.read_bytes()
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run that nothing happens to: what it made, and the seconds that each of its stages needs at least."""
    root = tmp_path_factory.mktemp("alone")
    finish(begin(root, "alone"))
    seconds = dict.fromkeys(STAGES, 0.0)
    for task in tasks(root, "alone"):
        seconds[task["name"]] += task["cpu_seconds"]  # however busy the machine is now, and later is not
    return results(root, "alone", root), seconds


def middle(root, run_id, stage):
    """Phase and step of a training's checkpoint, if it has one in the middle of a phase."""
    with contextlib.suppress(ValueError, storage.StorageError):  # there is none, or none any more
        kept = storage.Checkpoints(storage.join(str(root), "dreamblock", run_id, stage, "0", "any"), {})
        facts = load_training(kept.folder / CHECKPOINT)[1]
        return (facts["phase"], facts["step"]) if facts["step"] else None
    return None


def killed(process, root, run_id, stage, delay, resumable):
    """Kill a process when it has worked for `delay` CPU seconds in a stage of its run, and return how long it lived.

    If it is to be `resumable` they count from its first checkpoint in the middle of a phase, or from the stage's end.
    """
    began, said = time.monotonic(), ""
    with process:
        for line in process.stderr:  # until it is at the run
            said += line
            if line.startswith("run: "):
                break
        while not any(STAGES.index(task["name"]) >= STAGES.index(stage) for task in tasks(root, run_id)):
            assert process.poll() is None, said + process.stderr.read()
            time.sleep(0.02)
        before = middle(root, run_id, stage) if resumable else None
        while resumable and tasks(root, run_id)[-1]["name"] == stage and middle(root, run_id, stage) in (None, before):
            assert process.poll() is None, said + process.stderr.read()
            time.sleep(0.02)
        until = cpu_seconds(process) + delay
        while process.poll() is None and cpu_seconds(process) < until:
            time.sleep(0.02)
        assert process.poll() is None, f"there was nothing left to kill: {process.stderr.read()}"
        process.send_signal(signal.SIGKILL)
    return time.monotonic() - began


def cpu_seconds(process):
    """What a process has computed until now, which does not depend on how busy the machine is."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def moments(kills, seconds):
    """Stages, CPU seconds in each, and whether these count from a checkpoint; in the order of the stages.

    Every second kill of a training comes after a checkpoint: imports take too different times on different machines for
    chance alone to meet what comes after them, and not what comes after the training.
    """
    draw = random.Random(SEED)
    print(f"KILLS_SEED={SEED}")
    for stage, times in kills.items():
        for number in range(times):
            resumable = stage in TRAININGS and number % 2 == 0
            most = seconds[stage] / 20 if resumable else seconds[stage] / 2 + IMPORTS * (stage in TRAININGS)
            yield stage, draw.uniform(0, most), resumable


def test_a_run_killed_twenty_times_ends_with_the_bytes_of_one_left_alone(alone, tmp_path):
    expected, seconds = alone
    run, lost, places = tmp_path / "dreamblock" / "killed", [], []
    for moment in moments(KILLS, seconds):
        lived = killed(resume(tmp_path, "killed"), tmp_path, "killed", *moment)
        kept = [run.rglob(name) for name in (CHECKPOINT, storage.MANIFEST)]
        newest = max((file.stat().st_mtime for files in kept for file in files), default=0)
        lost.append(min(lived, time.time() - newest))
        for checkpoint in run.rglob(CHECKPOINT):
            facts = load_training(checkpoint)[1]
            places.append((checkpoint.parent.name, facts["phase"], facts["step"]))
    finish(resume(tmp_path, "killed"))
    print(f"{len(lost)} kills; work lost at each: median {statistics.median(lost):.1f} s, worst {max(lost):.1f} s")
    resumed = {place for place in places if place[2]}
    print("trainings were gone on from these places in the middle of a phase:", *sorted(resumed))

    assert len(lost) == 20
    assert {stage for stage, _, _ in resumed} == set(TRAININGS)
    made = results(tmp_path, "killed", tmp_path)
    assert made.keys() == expected.keys()
    assert [place for place in made if made[place] != expected[place]] == []
    assert {name for _, _, name in made} >= {"frames.npy", "weights.safetensors", "evaluation.json", "policy.gif"}
    assert not list(run.rglob("*incoming*"))


def test_a_run_in_a_bucket_killed_in_both_trainings_ends_with_the_same_bytes_too(alone, bucket, tmp_path):
    expected, seconds = alone
    kills = {"train-world-model": 1, "train-policy": 1}
    for moment in moments(kills, seconds):
        killed(resume(bucket, "killed"), bucket, "killed", *moment)
        assert middle(bucket, "killed", moment[0])
    finish(resume(bucket, "killed"))
    made = results(bucket, "killed", tmp_path)
    assert made.keys() == expected.keys()
    assert [place for place in made if made[place] != expected[place]] == []
