"""The doctor against a local stand-in for Google Cloud and a cluster, and a storage server.

python -m pytest tests/setup/test_doctor.py
"""

import json
import os
import socket
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import google_stand_in as stand_in
import pytest
import requests
from google.auth.compute_engine import _metadata
from google_stand_in import ACCOUNTS, CLUSTER, DEPLOYMENTS, DIGEST, GKE, IMAGE, NODES, PROJECT, ZONE, google_server

from components.storage.bucket import client
from setup.doctor import main

PROJECT_ROOT = Path(__file__).parents[2]
NAMES = count()


@pytest.fixture
def google(server, tmp_path, monkeypatch):
    """All is well, and the process finds it there."""
    server.inject()
    with google_server() as google:
        bucket = f"dreams-{next(NAMES)}"
        cluster = {"name": "c", "cluster": {"server": f"http://{google.host}"}}
        context = {"name": f"gke_{PROJECT}_{ZONE}_{CLUSTER}", "context": {"cluster": "c", "user": "u"}}
        config = {
            "clusters": [cluster],
            "contexts": [context],
            "users": [{"name": "u", "user": {"token": "kube-token"}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        for name, value in {
            "GKE_PROJECT": PROJECT,
            "GKE_CLUSTER": CLUSTER,
            "GKE_ZONE": ZONE,
            "GKE_BUCKET": bucket,
            "KUBECONFIG": str(tmp_path / "kubeconfig"),
            "STORAGE_EMULATOR_HOST": server.url,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER": f"http://{google.host}/",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAM": f"http://{google.host}/",
            "CLOUDSDK_CONFIG": str(tmp_path / "no-gcloud"),
            "GCE_METADATA_HOST": google.host,
            "GCE_METADATA_IP": google.host,
        }.items():
            monkeypatch.setenv(name, value)
        # kubernetes.config reads the first at import, google.auth the second.
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", google.host)
        monkeypatch.setattr("pipelines.images.LOCK", tmp_path / "lock.json")
        client.cache_clear()
        client().create_bucket(bucket)
        yield google
        server.inject()
        client.cache_clear()


def lines(capsys, *arguments):
    """The exit code, and what is said of each check."""
    code = main(list(arguments))
    output = capsys.readouterr()
    assert output.err == ""
    return code, {line[9:27].strip(): f"{line[:7].strip()} {line[29:]}" for line in output.out.splitlines()}


def test_all_is_well(google, capsys):
    code, said = lines(capsys, "--image", f"{google.host}/dreamblock/gpu@{DIGEST}")
    bucket = os.environ["GKE_BUCKET"]
    assert said == {
        "credentials": "ok me@my-dreams.iam.gserviceaccount.com",
        "API server": f"ok http://{google.host}, Kubernetes v1.33.5-gke.1",
        "Kubeflow Pipelines": "ok 4 deployments ready",
        "GPU pools": "ok nvidia-l4-1, 1 x nvidia-l4, 0 of 2 nodes up",
        "bucket": f"ok gs://{bucket}, written, read and removed an object",
        "Workload Identity": "ok pipeline-runner is dreamblock-runs, ml-pipeline-ui is dreamblock-ui",
        "images": "ok 1 in the registry",
    }
    assert code == 0
    assert google.tokens == {
        "Bearer a-token",
        "Bearer kube-token",
        "",
    }  # the registry, which is not Google's, sees none
    assert list(client().list_blobs(bucket)) == []


def changed(google, method, path, change):
    """Let `change` alter what is answered."""
    status, content = google.answers[method, path]
    change(content)
    google.answers[method, path] = (status, content)


def no_gpus(google):
    changed(google, "GET", GKE, lambda cluster: cluster["nodePools"].pop())


def broken_pool(google):
    changed(google, "GET", GKE, lambda cluster: cluster["nodePools"][1].update(status="ERROR"))


def no_drivers(google):
    config = {"gpuDriverInstallationConfig": {"gpuDriverVersion": "INSTALLATION_DISABLED"}}
    changed(google, "GET", GKE, lambda cluster: cluster["nodePools"][1]["config"]["accelerators"][0].update(config))


def drivers_not_ready(google):
    google.answers["GET", NODES] = (200, {"items": [stand_in.node("gke-x", "nvidia-l4-1", None)]})


def no_cluster(google):
    del google.answers["GET", GKE]


def no_kubeflow(google):
    google.answers["GET", DEPLOYMENTS] = (200, {"items": []})


def kubeflow_not_ready(google):
    items = google.answers["GET", DEPLOYMENTS][1]["items"]
    google.answers["GET", DEPLOYMENTS] = (200, {"items": [*items, stand_in.deployment("mysql", 0)]})


def not_annotated(google):
    changed(google, "GET", stand_in.account("pipeline-runner"), lambda account: account["metadata"].pop("annotations"))


def not_bound(google):
    google.answers["POST", stand_in.policy(ACCOUNTS["ml-pipeline-ui"])] = (200, {"etag": "ACAB"})


def no_account(google):
    del google.answers["POST", stand_in.policy(ACCOUNTS["pipeline-runner"])]


def no_workload_identity(google):
    changed(google, "GET", GKE, lambda cluster: cluster.pop("workloadIdentityConfig"))


def not_let_in(google):
    google.answers["GET", "/version/"] = (403, {"message": "no"})


def gke_not_let_in(google):
    google.answers["GET", GKE] = (403, {"error": {"code": 403}})


def no_image(google):
    del google.answers["HEAD", IMAGE]


@pytest.mark.parametrize(
    ("break_it", "check", "said"),
    [
        (no_gpus, "GPU pools", "the cluster dreamblock has no pool of GPUs: bash setup/gpus.sh up"),
        (broken_pool, "GPU pools", "the pool nvidia-l4-1 is in state ERROR: bash setup/gpus.sh"),
        (no_drivers, "GPU pools", "the nodes of the pool nvidia-l4-1 get no drivers: bash setup/gpus.sh"),
        (
            drivers_not_ready,
            "GPU pools",
            "node gke-x shows no GPU, its drivers are not ready: kubectl describe node",
        ),
        (no_cluster, "GPU pools", "there is no cluster dreamblock in us-central1-a: bash setup/cluster.sh up"),
        (gke_not_let_in, "GPU pools", "does not let these credentials in: ask an owner of the project"),
        (no_kubeflow, "Kubeflow Pipelines", "not installed, ml-pipeline, ml-pipeline-persistenceagent"),
        (kubeflow_not_ready, "Kubeflow Pipelines", "mysql not ready: kubectl --namespace kubeflow describe pods"),
        (
            not_annotated,
            "Workload Identity",
            "does not name dreamblock-runs@my-dreams.iam.gserviceaccount.com: bash",
        ),
        (not_bound, "Workload Identity", "ml-pipeline-ui's pods may not be dreamblock-ui@my-dreams"),
        (no_account, "Workload Identity", "there is no service account dreamblock-runs@my-dreams"),
        (no_workload_identity, "Workload Identity", "has no Workload Identity: bash setup/cluster.sh"),
        (not_let_in, "API server", "does not let these credentials in: gcloud auth login"),
        (no_image, "images", "the registry has no"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(google, capsys, break_it, check, said):
    break_it(google)
    code, found = lines(capsys, "--image", f"{google.host}/dreamblock/gpu@{DIGEST}")
    assert code == 1
    assert found[check].startswith("FAILED ")
    assert said in found[check]


def test_nodes_that_are_up_are_counted(google, capsys):
    google.answers["GET", NODES] = (200, {"items": [stand_in.node("gke-x", "nvidia-l4-1", "1")]})
    assert lines(capsys)[1]["GPU pools"] == "ok nvidia-l4-1, 1 x nvidia-l4, 1 of 2 nodes up"


def test_a_bucket_without_rights_is_said(google, server, capsys):
    server.inject("403", "upload")
    code, said = lines(capsys)
    assert code == 1
    assert (
        "does not let these credentials read and write: gcloud storage buckets add-iam-policy-binding" in said["bucket"]
    )


def test_a_bucket_that_is_not_there_is_said(google, capsys, monkeypatch):
    monkeypatch.setenv("GKE_BUCKET", "nobody-made-this")
    assert "there is no bucket gs://nobody-made-this: bash setup/storage.sh up" in lines(capsys)[1]["bucket"]


def test_a_storage_that_does_not_answer_is_said(google, capsys, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    # In a thread of its own Google's library asks for what it would say in traces, for two minutes: into other tests.
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    assert "cannot be reached" in lines(capsys)[1]["bucket"]


def test_a_mutable_tag_is_no_digest(google, capsys):
    assert "is no image by digest" in lines(capsys, "--image", f"{google.host}/dreamblock/gpu:latest")[1]["images"]


@pytest.mark.parametrize(
    ("registry", "is_googles"),
    [
        ("us-central1-docker.pkg.dev", True),
        ("gcr.io", True),
        ("eu.gcr.io", True),
        ("ghcr.io", False),
        ("pkg.dev.example.org", False),
        ("example.org?.pkg.dev", False),
        ("notgcr.io", False),
    ],
)
def test_only_googles_registries_get_to_see_the_credentials(google, capsys, monkeypatch, registry, is_googles):
    seen, ask = {}, requests.request

    def answered(method, url, headers, **options):
        if not url.startswith(f"https://{registry}/"):
            return ask(method, url, headers=headers, **options)
        seen.update(headers)
        response = requests.Response()
        response.status_code = 200
        return response

    monkeypatch.setattr(requests, "request", answered)
    assert lines(capsys, "--image", f"{registry}/dreamblock/gpu@{DIGEST}")[1]["images"] == "ok 1 in the registry"
    assert ("Authorization" in seen) == is_googles


def test_a_registry_of_others_that_wants_credentials_is_said(google, capsys):
    google.answers["HEAD", IMAGE] = (401, {})
    said = lines(capsys, "--image", f"{google.host}/dreamblock/gpu@{DIGEST}")[1]["images"]
    assert "wants credentials, and Google's are not for it: look there with docker manifest inspect" in said


def test_without_credentials_the_rest_is_skipped(google, capsys, monkeypatch):
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)
    code, said = lines(capsys)
    assert code == 1
    assert said["credentials"] == (
        "FAILED there are no credentials for Google Cloud: gcloud auth application-default login"
    )
    assert said["bucket"] == "skipped needs credentials"
    assert said["Kubeflow Pipelines"].startswith("ok")


def test_a_cluster_that_kubectl_does_not_know_is_said(google, capsys, monkeypatch):
    monkeypatch.setenv("GKE_CLUSTER", "another")
    said = lines(capsys)[1]
    assert "kubectl does not know the cluster another: gcloud container clusters get-cred" in said["API server"]
    assert said["GPU pools"] == "skipped needs API server"


def test_an_unreachable_host_is_said_within_five_seconds(google, tmp_path):
    with socket.socket() as silent:  # accepts, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        file = tmp_path / "kubeconfig"
        file.write_text(file.read_text().replace(google.host, f"127.0.0.1:{silent.getsockname()[1]}"))
        command = [sys.executable, "-m", "setup.doctor"]
        with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as doctor:
            assert doctor.stdout
            assert next(doctor.stdout).startswith("ok")  # what is asked at the same time, so that imports do not count
            start = time.monotonic()
            said = next(doctor.stdout)
            assert time.monotonic() - start < 4
            rest = doctor.stdout.read()
    assert said.startswith("FAILED   API server")
    assert "cannot be reached" in said
    assert "skipped  GPU pools" in rest
    assert doctor.returncode == 1


def test_a_name_that_is_not_resolved_holds_nobody_up(google, capsys, monkeypatch):
    monkeypatch.setattr("setup.doctor.DEADLINE", 0.3)
    monkeypatch.setattr("setup.checks.log_in", lambda: time.sleep(2))
    start = time.monotonic()
    code, said = lines(capsys)
    assert time.monotonic() - start < 1.5
    assert code == 1
    assert said["credentials"] == "FAILED no answer within 0.3 s: check the network"


def test_wrong_use_is_exit_code_2(google, capsys, monkeypatch):
    monkeypatch.setenv("GKE_BUCKET", "No Bucket")
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "GKE_BUCKET must be 3 to 63" in capsys.readouterr().err


def test_the_images_that_were_pushed_last_are_looked_for_without_being_named(google, tmp_path, capsys):
    image = f"{google.host}/dreamblock/gpu@{DIGEST}"
    lock = {"commit": "c" * 40, "base": None, "cpu": image, "gpu": image}
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    assert lines(capsys)[1]["images"] == "ok 2 in the registry"
    (tmp_path / "lock.json").write_text(json.dumps(lock | {"gpu": image.replace("/gpu", "/lost")}))
    assert "has no" in lines(capsys)[1]["images"]
