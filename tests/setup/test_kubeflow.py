"""What setup/kubeflow makes of Kubeflow's manifests: python -m pytest tests/setup/test_kubeflow.py

Kubeflow's own manifests are on the internet. `BASE` stands in for them: the objects that are changed, as they are in
kubeflow/pipelines, manifests/kustomize/base.
"""

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from cloud import SCRIPTS

from models.checkpoint import WEIGHTS
from models.training import CHECKPOINT

SETUP = Path(__file__).parents[2] / "setup"
BASE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: kfp-launcher, namespace: kubeflow}
data: {defaultPipelineRoot: ""}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: pipeline-runner, namespace: kubeflow}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ml-pipeline-ui, namespace: kubeflow}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ml-pipeline, namespace: kubeflow}
"""


@pytest.fixture
def overlay(stages, cloud):
    """The folder that setup/kubeflow.sh renders, over the stand-in."""
    cloud.restore(stages["kubeflow"].before)
    cloud.must_run("kubeflow", "up", *SCRIPTS["kubeflow"])
    folder = cloud.folder / "build" / "kubeflow"
    (folder / "base.yaml").write_text(BASE)
    text = (folder / "kustomization.yaml").read_text()
    (folder / "kustomization.yaml").write_text(re.sub(r"https://\S+", "base.yaml", text))
    return folder


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_what_steps_put_out_goes_to_the_bucket_as_the_service_account(overlay):
    done = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    objects = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout)}
    for one in objects.values():
        kubernetes_validate.validate(one, "1.33", strict=True)
    launcher = objects["ConfigMap", "kfp-launcher"]["data"]
    assert launcher["defaultPipelineRoot"] == "gs://my-dreams-dreamblock"
    assert yaml.safe_load(launcher["providers"]) == {"gs": {"default": {"credentials": {"fromEnv": True}}}}
    named = {
        name: one["metadata"].get("annotations", {}).get("iam.gke.io/gcp-service-account")
        for (kind, name), one in objects.items()
        if kind == "ServiceAccount"
    }
    assert named == {
        "pipeline-runner": "dreamblock-runs@my-dreams.iam.gserviceaccount.com",
        "ml-pipeline-ui": "dreamblock-ui@my-dreams.iam.gserviceaccount.com",
        "ml-pipeline": None,
    }


def test_the_manifests_are_of_one_pinned_version(stages):
    used = {match for words in stages["kubeflow"].up for word in words for match in re.findall(r"ref=([^&\s]+)", word)}
    rendered = re.findall(r"^version=(\S+)", (SETUP / "kubeflow.sh").read_text(), re.MULTILINE)
    assert used == set(rendered)
    assert rendered[0].rpartition(".")[0] == version("kfp").rpartition(".")[0]
    assert "?ref=VERSION" in (SETUP / "kubeflow" / "kustomization.yaml").read_text()


def test_old_checkpoints_are_removed_and_nothing_else():
    rule, _ = yaml.safe_load((SETUP / "lifecycle.json").read_text())["rule"]
    assert rule["action"] == {"type": "Delete"}
    (suffix,) = rule["condition"]["matchesSuffix"]
    assert f"dreamblock/run/checkpoints/train-policy/7/{CHECKPOINT}".endswith(suffix)
    assert not f"dreamblock/run/train-policy/uuid/policy/{WEIGHTS}".endswith(suffix)
