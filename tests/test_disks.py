"""A run whose disk is full, read-only or gone, or whose clock jumps: one sentence, and later it goes on from there.

python -m pytest -m long tests/test_disks.py
"""

import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tiny_run import RUNNER, TINY

from components import storage

pytestmark = pytest.mark.long

NEW = ["--preset", "smoke", *(f"--set={name}={value}" for name, value in TINY.items())]
SIZES = ("8", "1700", "2900", "4400")  # kilobytes that become too few at ever later steps
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


def test_a_full_disk_is_said_each_time_and_with_more_room_the_run_goes_on(left_alone, tmp_path):
    """Full at the start, in the data, in a checkpoint and in the evaluation."""
    script = f"""
        mkdir small && mount -t tmpfs -o size={SIZES[0]}k tmpfs small || exit 9
        for size in {" ".join(SIZES)} 50000; do
            mount -o remount,size=${{size}}k small
            if [ -e small/dreamblock/k/run.json ]; then how="--resume k"; else how="{" ".join(NEW)} --run-id k"; fi
            "$@" $how --root small 2> errors-$size; echo $? > code-$size
        done
        cp -r small large
    """
    done = subprocess.run([*MOUNTS, script, "sh", *RUNNER], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for size in SIZES:
        errors = (tmp_path / f"errors-{size}").read_text()
        assert (tmp_path / f"code-{size}").read_text().strip() in ("1", "2")
        assert "Traceback" not in errors
        assert len(lines(errors)) == 1
        assert "No space left on device" in lines(errors)[0]
    assert (tmp_path / "code-50000").read_text() == "0\n", (tmp_path / "errors-50000").read_text()
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


def test_a_root_that_is_removed_in_the_middle_is_said_each_time_and_the_command_works_again(left_alone, tmp_path):
    root = tmp_path / "root"
    run, new = root / "dreamblock" / "k", [*RUNNER, *NEW, "--root", str(root), "--run-id", "k"]

    def command():
        return [*RUNNER, "--resume", "k", "--root", str(root)] if (run / "run.json").exists() else new

    for step in ("generate-data", "train-world-model", "evaluate"):
        with subprocess.Popen(command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while not (run / step).exists() and process.poll() is None:
                time.sleep(0.005)
            with suppress(FileNotFoundError):
                root.rename(tmp_path / "gone")  # all at once: a removal in the middle looks like anything
            shutil.rmtree(tmp_path / "gone", ignore_errors=True)
            _, errors = process.communicate()
        assert process.returncode in (0, 1, 2)
        assert "Traceback" not in errors
        if process.returncode:
            assert len(lines(errors)) == 1
        if not (run / "run.json").exists():
            shutil.rmtree(root, ignore_errors=True)
    subprocess.run(command(), check=True, capture_output=True)
    assert results(run) == results(left_alone)
    assert storage.whole(str(run / "evaluate" / "0" / "evaluation"))


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
