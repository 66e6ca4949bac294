"""A copy of setup/ beside stand-ins of gcloud and kubectl, and its scripts in their order."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloud_stand_in

PROJECT = Path(__file__).parents[2]
# In the order of docs/gke.md, with what each is given.
SCRIPTS = {
    "project": ["--billing-account", "0X0X0X-0X0X0X-0X0X0X"],
    "cluster": [],
    "storage": [],
    "registry": [],
    "kubeflow": [],
    "gpus": ["--type", "nvidia-l4", "--spot"],
}


@dataclass
class Cloud:
    """What setup/'s scripts work on, as far as the stand-ins know."""

    folder: Path

    def run(self, script, *arguments, answer="", **settings):
        """Run a script of setup/ as a user does; `answer` is what is typed."""
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "GKE_PROJECT": "my-dreams",
            "GKE_CLUSTER": "dreamblock",
        }
        return subprocess.run(
            ["bash", f"setup/{script}.sh", *arguments],
            cwd=self.folder,
            env={name: value for name, value in {**environment, **settings}.items() if value},
            input=answer,
            capture_output=True,
            text=True,
        )

    def log(self):
        """The commands that were run since last asked."""
        file = self.folder / "bin" / "log"
        found = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
        file.unlink(missing_ok=True)
        return found

    def changes(self):
        """Those that change anything."""
        return [words for words in self.log() if cloud_stand_in.changes(words)]

    def made(self):
        """What there is."""
        file = self.folder / "bin" / "made"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []

    def must_run(self, script, *arguments):
        """Run it without questions: the commands that changed anything."""
        done = self.run(script, *arguments, "--yes")
        assert done.returncode == 0, done.stderr
        return self.changes()

    def restore(self, made):
        """Let there be this and nothing else."""
        (self.folder / "bin" / "made").write_text("".join(json.dumps(thing) + "\n" for thing in made))

    def fail(self, words):
        """From now on fail at this command; [] for none."""
        (self.folder / "bin" / "fails").write_text(json.dumps(words) + "\n")


def make_cloud(folder: Path) -> Cloud:
    bin = folder / "bin"
    bin.mkdir()
    shutil.copytree(PROJECT / "setup", folder / "setup", ignore=shutil.ignore_patterns("__pycache__"))
    source = Path(cloud_stand_in.__file__).read_text()
    for name in ("gcloud", "kubectl"):
        (bin / name).write_text(f"#!{sys.executable} -SE\n{source}")
    (bin / "sleep").write_text("#!/bin/sh\n")
    for file in bin.iterdir():
        file.chmod(0o755)
    return Cloud(folder)


@dataclass
class Stage:
    """A script's turn on the way from nothing: what there is before and after, what up and down change; FOLDER is where
    the copy lies."""

    before: list[Any]
    up: list[list[str]]
    after: list[Any]
    down: list[list[str]]
    gone: list[Any]
