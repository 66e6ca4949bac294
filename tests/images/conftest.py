"""The images, built once from the unchanged Dockerfile, and what was measured of them."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import MEASURED
from tiny_run import PROJECT

NEEDED = (
    "make test-images needs a Docker engine with BuildKit, named by DOCKER_HOST, and a base with Python 3.11, named by "
    "BASE_IMAGE, as in BASE_IMAGE=python:3.11.15-slim-bookworm"
)


@pytest.fixture(scope="session")
def images() -> Iterator[dict[str, str]]:
    """The names of the CPU image and the GPU image, as images/build.sh has built them."""
    base = os.environ.get("BASE_IMAGE")
    client = _client()
    if not base or not client:
        pytest.exit(NEEDED, 2)
    if not re.search(r"[:@][^/]*$", base):
        base += ":latest"
    options = ["--network=host"]
    if index := os.environ.get("TORCH_INDEX"):
        options.append(f"--build-arg=TORCH_INDEX={index}")
    began = time.monotonic()
    build = subprocess.run(
        ["bash", "images/build.sh", "--no-push", "--dirty", "--base", base, "--", *options],
        cwd=PROJECT,
        env={**os.environ, "PATH": f"{client.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stderr[-5000:]
    MEASURED.append(f"built in {time.monotonic() - began:.0f} s")
    names = dict(zip(("cpu", "gpu"), re.findall(r"dreamblock/[cg]pu:[\w-]+", build.stdout)[-2:], strict=True))
    yield names
    subprocess.run(["docker", "image", "rm", "--force", *names.values()], capture_output=True)


def pytest_terminal_summary(terminalreporter) -> None:
    if MEASURED:
        terminalreporter.section("images")
        for line in MEASURED:
            terminalreporter.write_line(line)


def _client() -> Path | None:
    """The first docker on PATH that can build with BuildKit: it was part of the client once, and is a plugin now."""
    for folder in os.environ["PATH"].split(os.pathsep):
        if docker := shutil.which("docker", path=folder):
            version = _said(docker, "version", "--format={{.Client.Version}}")
            if version and (int(version.partition(".")[0]) < 23 or _said(docker, "buildx", "version")):
                return Path(docker)
    return None


def _said(*command: str) -> str:
    """What the command says, "" if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
