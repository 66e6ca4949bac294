"""Which Python `make` takes for its environment: any that suits, by whatever name, and a sentence where none does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLD = 'case "$1" in -V) echo Python 3.9.18;; *) exit 1;; esac'


@pytest.fixture
def make(tmp_path):
    """Runs make for the environment, on a machine that has the Pythons of these names and scripts and no others."""

    def make(pythons: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
        for name, script in pythons.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        command = [
            shutil.which("make") or "make",
            "-s",
            f"VENV={tmp_path}/venv",
            *options,
            f"{tmp_path}/venv/bin/python",
        ]
        return subprocess.run(command, cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True)

    return make


def test_the_first_python_that_starts_and_suits_is_taken(make, tmp_path):
    suits = f'exec {sys.executable} "$@"'
    assert sys.version_info[:2] in {(3, 11), (3, 12), (3, 13), (3, 14)}
    done = make({"python3.11": "exit 127", "python3.13": suits, "python3": suits}, "-n")
    assert f"{tmp_path}/python3.13 -m venv" in done.stdout


def test_without_a_python_that_suits_there_is_a_sentence_and_no_environment(make, tmp_path):
    done = make({"python3": OLD})
    assert done.returncode == 2
    assert done.stdout.strip().startswith("Python 3.11 to 3.14 is needed and none was found")
    assert not (tmp_path / "venv").exists()


def test_a_python_that_was_named_and_does_not_suit_is_named_with_its_version(make, tmp_path):
    done = make({"old": OLD}, f"PYTHON={tmp_path}/old")
    assert done.returncode == 2
    assert f"Python 3.11 to 3.14 is needed, {tmp_path}/old is Python 3.9.18" in done.stdout
    assert not (tmp_path / "venv").exists()


def test_where_no_environment_can_be_made_the_package_that_is_missing_is_named(make, tmp_path):
    without_venv = f'case "$2" in venv) exit 1;; *) exec {sys.executable} "$@";; esac'
    done = make({"python3": without_venv})
    assert done.returncode == 2
    assert f"apt install python3.{sys.version_info[1]}-venv" in done.stdout
