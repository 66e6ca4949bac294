"""The images, built, and the whole pipeline in their containers: make test-images, or

DOCKER_HOST=... BASE_IMAGE=... python -m pytest -m images tests/images

BASE_IMAGE must have Python 3.11 and may have torch already. TORCH_INDEX is where the CPU image gets torch, if not from
download.pytorch.org.
"""

import json
import re
import subprocess
import sys
import time
from dataclasses import asdict

import pytest
from cluster import whole_run
from containers import MEASURED, Containers, inside
from tiny_run import PROJECT

from components import storage
from components.champions import Lineage, Weights
from components.configuration import resolve
from models.checkpoint import save_world_model
from models.policy import Policy
from models.policy_checkpoint import save_policy
from models.world_model import WorldModel
from viewer.quantities import quantity

pytestmark = pytest.mark.images

SHIPPED = ("components", "models", "sim_core", "viewer", "pretrained")
SECRET = re.compile(r"token|secret|passw|credential|api_?key|private", re.IGNORECASE)


@pytest.fixture(params=["cpu", "gpu"])
def image(request, images) -> str:
    return images[request.param]


def inspected(image):
    return json.loads(subprocess.check_output(["docker", "image", "inspect", image]))[0]


@pytest.fixture(scope="module")
def runs(images, tmp_path_factory, server):
    """A smoke run in containers and one in-process, with the same seed: their figures; and the first one's bucket."""
    from components.storage.bucket import client

    folder = tmp_path_factory.mktemp("run")
    arguments = ["--preset", "smoke", "--seed", "1", "--root", str(folder / "here"), "--run-id", "tiny", "--no-cache"]
    here = subprocess.Popen([sys.executable, "local_runner.py", *arguments], cwd=PROJECT, stdout=subprocess.DEVNULL)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    client.cache_clear()
    client().create_bucket("runs")
    try:
        (folder / "cluster").mkdir()
        began = time.monotonic()
        _, paths = whole_run(Containers(folder / "cluster", images, "runs", server.url), "smoke", 1, {})
        MEASURED.append(f"the smoke run in containers took {time.monotonic() - began:.0f} s")
        assert here.wait() == 0
        other = folder / "here/dreamblock/tiny/evaluate/0/evaluation"
        yield paths, [json.loads((path / "evaluation.json").read_text()) for path in (paths["evaluation"], other)]
    finally:
        here.kill()
        here.wait()
        monkeypatch.undo()
        client.cache_clear()


def test_the_whole_pipeline_runs_in_containers_to_the_figures_of_the_run_in_process(runs):
    _, (containers, in_process) = runs
    assert containers["goal_reaching"]["controllers"]["policy"]["settled"] > 0.5, "it has learned something"
    compare(containers, in_process)


def compare(one, other, where="evaluation.json"):
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            compare(one[name], other[name], f"{where}: {name}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for index, (item, same) in enumerate(zip(one, other, strict=True)):
            compare(item, same, f"{where} {index}")
    else:
        assert one == (pytest.approx(other, abs=1e-5, rel=1e-5) if isinstance(one, float) else other), where


def test_the_trainings_kept_checkpoints_in_the_bucket(runs):
    for task in ("train-world-model", "train-policy"):
        assert storage.children(f"gs://runs/dreamblock/tiny/checkpoints/{task}")


def test_what_the_steps_put_out_is_whole(runs):
    paths, _ = runs
    for name in ("world_model", "policy", "evaluation"):
        assert storage.verified(paths[name])
    assert b"GIF89a" in (paths["evaluation"] / "model.gif").read_bytes()[:6]


def test_a_container_promotes_what_beats_the_champion_in_the_bucket(runs, images, tmp_path, server):
    paths, (evaluation, _) = runs
    lineage = Lineage("nightly", "gs://runs/dreamblock/tiny/promote/0/metrics")
    untrained = put_untrained(tmp_path)
    lineage.add("0001-untrained", untrained, paths["evaluation"], {})
    assert lineage.crown("0001-untrained", lineage.pointer())
    containers = Containers(paths["evaluation"].parents[5], images, "runs", server.url)
    configuration = asdict(resolve("smoke", 1, {}))
    given = {name: [paths[name]] for name in ("world_model", "policy", "evaluation")}
    parameters = {"configuration": configuration, "champion": "nightly", "run_id": "tiny"}
    _, made = containers.run("promote", parameters, given, "for-a-champion")
    champion = lineage.pointer().champion
    assert champion.startswith("0002-tiny-")
    assert storage.whole(f"{lineage.uri}/{champion}")
    settle = evaluation["goal_reaching"]["controllers"]["policy"]["settle_frames_mean"]
    said = made["verdict"].read_text()
    assert (
        f"nightly: {champion} is the champion now. Compared with 0001-untrained, it settles after {quantity(settle)}"
        in said
    )


def put_untrained(folder):
    """Weights as the run begins with where it begins from nothing."""
    config = resolve("smoke", 1, {})
    for name in ("world_model", "policy"):
        (folder / name).mkdir()
    save_world_model(folder / "world_model", WorldModel(config.world_model), config.world)
    save_policy(folder / "policy", Policy(config.policy, config.world_model), config.world_model)
    return Weights(folder / "world_model", folder / "policy")


def test_a_step_that_fails_says_why_and_fails_its_container(images, tmp_path):
    process, _ = Containers(tmp_path, images, "runs", "").start(
        "plan", {"preset": "smok", "seed": 1, "overrides": {}}, {}
    )
    _, said = process.communicate()
    assert process.returncode == 1
    assert "there is no preset 'smok', the nearest of smoke, laptop, gpu is 'smoke'" in said


def test_the_user_is_not_root_and_may_change_nothing_of_the_image(image):
    assert inspected(image)["Config"]["User"] == "10001:10001"
    assert inside(image, "id", "-u").strip() == "10001"
    assert inside(image, "find", "/app", "/opt/venv", "-writable", "-not", "-type", "l").strip() == ""


def test_the_image_holds_what_is_checked_out_and_nothing_else(image):
    found = set(inside(image, "find", "/app", "-type", "f", "-printf", r"%P\n").split())
    listed = subprocess.check_output(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *SHIPPED], cwd=PROJECT, text=True
    )
    assert found == {*listed.split(), "requirements.lock", "images/requirements.txt"}
    assert not [name for name in found if re.search(r"\.(pkl|pickle|pt|pth|bin|pem|key|env)$", name)]


def test_the_image_holds_no_secret(image):
    config = inspected(image)["Config"]
    history = subprocess.check_output(["docker", "history", "--no-trunc", "--format={{.CreatedBy}}", image], text=True)
    ours = history[: history.index("requirements.lock")] if "requirements.lock" in history else history
    for text in (*config["Env"], *config["Labels"].values(), ours):
        assert not SECRET.search(text), text
    home = inside(image, "find", "/home", "/tmp", "-type", "f", "-not", "-name", ".bash*", "-not", "-name", ".profile")
    assert home.strip() == ""


def test_the_image_says_which_commit_it_is(image):
    config = inspected(image)["Config"]
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=PROJECT, text=True).strip()
    assert config["Labels"]["org.opencontainers.image.revision"].removesuffix("-dirty") == commit
    said = inside(image, "python", "-c", "import os; print(os.environ['DREAMBLOCK_COMMIT'])")
    assert said.strip().removesuffix("-dirty") == commit
    assert config["Labels"]["org.opencontainers.image.base.name"]


def test_what_the_components_import_has_the_versions_of_the_lock(image):
    lines = (PROJECT / "images" / "requirements.txt").read_text().splitlines()
    names = [*(line for line in lines if not line.startswith("#")), "kfp", "torch"]
    script = f"import importlib.metadata as m; print(*(f'{{name}}=={{m.version(name)}}' for name in {names}))"
    locked = (PROJECT / "requirements.lock").read_text()
    for installed in inside(image, "python", "-c", script).split():
        version = installed.partition("+")[0]  # 2.13.0+cpu
        assert re.search(rf"^{re.escape(version)}( ;.*)?$", locked, re.MULTILINE), installed


def test_kfp_came_without_its_dependencies(image):
    script = "import importlib.util as u; print([n for n in ('kubernetes', 'kfp_server_api') if u.find_spec(n)])"
    assert inside(image, "python", "-c", script).strip() == "[]"


def test_size_and_start_are_told(images):
    for name, image in images.items():
        starts = []
        for what in ("pass", "import torch"):
            began = time.monotonic()
            inside(image, "python", "-c", what)
            starts.append(time.monotonic() - began)
        size = inspected(image)["Size"] / 1e9
        MEASURED.append(f"{name}: {size:.2f} GB, starts in {starts[0]:.1f} s, with torch in {starts[1]:.1f} s")
        assert starts[0] < 30
