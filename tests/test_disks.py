"""A run whose disk is full, read-only or gone, or whose clock jumps: one sentence, and later it goes on from there.

python -m pytest -m long tests/test_disks.py
"""

import json
import os
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tiny_run import RUNNER, TINY

from components import storage

pytestmark = pytest.mark.long

NEW = ["--preset", "smoke", *(f"--set={name}={value}" for name, value in TINY.items())]
MOUNTS = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]  # seen by no other process, gone with this one


def lines(errors: str) -> list[str]:
    """What was said of an error; how far the steps are is indented or ends in dots."""
    return [line for line in errors.splitlines() if line.startswith("local_runner.py")]


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory) -> Path:
    """A run that nothing happened to."""
    root = tmp_path_factory.mktemp("root")
    subprocess.run([*RUNNER, *NEW, "--root", root, "--run-id", "k"], check=True, capture_output=True)
    return root / "dreamblock" / "k"


def results(run: Path) -> list[bytes]:
    """The bytes that must not depend on what happened on the way."""
    weights = [run / f"train-{name}" / "0" / name.replace("-", "_") for name in ("world-model", "policy")]
    files = [folder / "weights.safetensors" for folder in weights]
    return [file.read_bytes() for file in [*files, run / "evaluate" / "0" / "evaluation" / "evaluation.json"]]


@pytest.mark.parametrize("kilobytes", [8, 1700, 2900, 4400])
def test_a_full_disk_is_said_and_with_more_room_the_run_goes_on(left_alone, tmp_path, kilobytes):
    script = f"""
        mkdir small && mount -t tmpfs -o size={kilobytes}k tmpfs small || exit 9
        "$@" {" ".join(NEW)} --root small --run-id k 2> errors; echo $? > code
        mount -o remount,size=50m small
        if [ -e small/dreamblock/k/run.json ]; then again="--resume k"; else again="{" ".join(NEW)} --run-id k"; fi
        "$@" $again --root small > again 2>&1 || {{ cat again; exit 8; }}
        cp -r small large
    """
    done = subprocess.run([*MOUNTS, script, "sh", *RUNNER], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    errors = (tmp_path / "errors").read_text()
    assert (tmp_path / "code").read_text().strip() in ("1", "2")
    assert "Traceback" not in errors
    assert len(lines(errors)) == 1
    assert "No space left on device" in lines(errors)[0]
    assert results(tmp_path / "large" / "dreamblock" / "k") == results(left_alone)
    assert not list((tmp_path / "large").rglob("*.incoming"))


def test_a_read_only_root_is_said_and_left_as_it_is(left_alone, tmp_path):
    shutil.copytree(left_alone.parents[1], tmp_path / "root")
    before = sorted((file, file.stat().st_mtime_ns) for file in (tmp_path / "root").rglob("*"))
    script = f"""
        mount --bind root root && mount -o remount,bind,ro root || exit 9
        "$@" {" ".join(NEW)} --root root --run-id new; echo $? > code
        "$@" --prune k --root root; echo $? >> code
        "$@" --list --root root || exit 8
    """
    done = subprocess.run([*MOUNTS, script, "sh", *RUNNER], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set((tmp_path / "code").read_text().split()) <= {"1", "2"}
    assert "Traceback" not in done.stderr
    assert [("Read-only file system" in line) for line in lines(done.stderr)] == [True, True]
    assert sorted((file, file.stat().st_mtime_ns) for file in (tmp_path / "root").rglob("*")) == before


@pytest.mark.parametrize("step", ["generate-data", "train-world-model", "evaluate"])
def test_a_root_that_is_removed_in_the_middle_is_said_and_the_command_works_again(left_alone, tmp_path, step):
    root = tmp_path / "root"
    command = [*RUNNER, *NEW, "--root", str(root), "--run-id", "k"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (root / "dreamblock" / "k" / step).exists() and process.poll() is None:
            time.sleep(0.005)
        shutil.rmtree(root, ignore_errors=True)
        _, errors = process.communicate()
    assert process.returncode in (0, 1, 2)
    assert "Traceback" not in errors
    if process.returncode:
        assert len(lines(errors)) == 1
    if not (root / "dreamblock" / "k" / "run.json").exists():
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(command, check=True, capture_output=True)
    else:
        subprocess.run([*RUNNER, "--resume", "k", "--root", root], check=True, capture_output=True)
    assert results(root / "dreamblock" / "k") == results(left_alone)
    assert storage.whole(str(root / "dreamblock" / "k" / "evaluate" / "0" / "evaluation"))


def test_a_clock_that_jumps_back_changes_nothing(left_alone, tmp_path):
    """What an earlier process left is dated a year ahead of what a later one sees."""
    root = tmp_path / "root"
    killed = [*RUNNER, *NEW, "--root", str(root), "--run-id", "k", "--checkpoint-seconds", "0"]
    with subprocess.Popen(killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (root / "dreamblock" / "k" / "train-policy").exists() and process.poll() is None:
            time.sleep(0.005)
        process.kill()
    record = root / "dreamblock" / "k" / "run.json"
    ahead = datetime.now(UTC) + timedelta(365)
    facts = json.loads(record.read_text())
    record.write_text(json.dumps(facts | {"started": ahead.isoformat(timespec="seconds")}))
    for file in root.rglob("*"):
        os.utime(file, (ahead.timestamp(), ahead.timestamp()))
    subprocess.run([*RUNNER, "--list", "--root", root], check=True, capture_output=True)
    subprocess.run([*RUNNER, "--resume", "k", "--root", root], check=True, capture_output=True)
    assert results(root / "dreamblock" / "k") == results(left_alone)
    assert json.loads(record.read_text())["seconds"] > 0
