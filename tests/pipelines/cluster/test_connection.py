"""The ways to a cluster, and what is said where there is none: python -m pytest tests/pipelines/cluster -k connection

With -m long also the real five seconds.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kfp.client import auth

from pipelines.cluster import connection, port_forward

PROJECT = Path(__file__).parents[3]
SECRET = "a-token-that-nobody-may-see"

KUBECTL = """\
#!/bin/sh
# A stand-in for kubectl: it notes how it was called and when it ends, and forwards to what is there already.
echo "$@" > {folder}/called
trap 'echo ended >> {folder}/called; exit 0' TERM
{does}
while :; do sleep 0.05; done
"""


@pytest.fixture
def no_host(cluster, monkeypatch):
    """The cluster, whose address is not told."""
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT")
    return cluster


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """Puts a kubectl on the PATH that does as it is told: the file in which it notes what it was asked."""

    def put(does: str) -> Path:
        script = tmp_path / "kubectl"
        script.write_text(KUBECTL.format(folder=tmp_path, does=does))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path / "called"

    return put


def authorizations(cluster) -> set[str | None]:
    return {headers.get("authorization") for *_, headers in cluster.asked}


# Port-forward


def test_without_a_host_kubectl_leads_to_the_cluster_and_is_ended_again(no_host, kubectl, submit):
    called = kubectl(f'echo "Forwarding from 127.0.0.1:{no_host.url.rpartition(":")[2]} -> 8888"')
    code, output, errors = submit("list", "--context", "gke_project_zone_cluster", "--namespace", "pipes")
    assert (code, errors) == (0, "")
    assert "no runs" in output
    how, end = called.read_text().splitlines()
    assert how == "--context gke_project_zone_cluster --namespace pipes port-forward service/ml-pipeline :8888"
    assert end == "ended"


def test_sigterm_ends_kubectl_too(no_host, kubectl):
    called = kubectl('echo "Forwarding from 127.0.0.1:9 -> 8888"')  # where nobody answers
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "pipelines.submit", "list"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while not called.exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        errors = process.communicate(timeout=20)[1]
    assert process.returncode == 143
    assert "stopped by SIGTERM" in errors
    deadline = time.monotonic() + 10
    while "ended" not in called.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "ended" in called.read_text()


def test_from_inside_of_a_cluster_another_is_reached_by_its_context(no_host, kubectl, submit, monkeypatch, tmp_path):
    called = kubectl(f'echo "Forwarding from 127.0.0.1:{no_host.url.rpartition(":")[2]} -> 8888"')
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    (tmp_path / "token").write_text(SECRET)
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    assert submit("list", "--context", "another")[0] == 0
    assert called.read_text().startswith("--context another ")
    assert authorizations(no_host) == {None}


def test_what_kubectl_has_against_it_is_said_in_its_words(no_host, kubectl, submit):
    kubectl("echo 'error: context \"none\" does not exist' >&2; exit 1")
    code, _, errors = submit("list")
    assert code == 1
    assert 'no way to Kubeflow Pipelines in namespace kubeflow: error: context "none" does not exist' in errors


def test_a_cluster_that_kubectl_waits_for_is_said_to_be_slow_and_then_given_up(no_host, kubectl, submit, monkeypatch):
    monkeypatch.setattr(port_forward, "SLOW", 0.2)
    monkeypatch.setattr(port_forward, "PATIENCE", 0.4)
    kubectl("")
    code, _, errors = submit("list")
    assert code == 1
    slow, given_up = errors.splitlines()
    assert slow == "the cluster has not answered for 0.2 s, trying for 0.4 s"
    assert given_up.endswith("it has not answered")


def test_without_kubectl_it_is_said_how_to_get_it_or_do_without(no_host, submit, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code, _, errors = submit("list")
    assert code == 1
    assert "gcloud components install kubectl, or name the address of Kubeflow Pipelines with --host" in errors


# A host


@pytest.fixture
def deaf():
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_host_that_never_answers_is_not_waited_for(cluster, deaf, submit, monkeypatch):
    monkeypatch.setattr(connection, "DEADLINE", 0.3)
    began = time.monotonic()
    code, _, errors = submit("list", "--host", deaf)
    assert code == 1
    assert time.monotonic() - began < 2
    assert errors == f"pipelines.submit: {deaf} cannot be reached: it has not answered for 0.3 s\n"


@pytest.mark.long
@pytest.mark.parametrize("command", [["list"], ["run", "--wait"], ["fetch"]])
def test_a_host_that_never_answers_is_reported_within_five_seconds(command, deaf):
    done = [sys.executable, "-c", "import sys, pipelines.submit as s; sys.exit(s.main(sys.argv[1:]))", *command]
    subprocess.run([*done[:3], "--help"], cwd=PROJECT, capture_output=True)  # the disk's part is not the host's
    began = time.monotonic()
    process = subprocess.run([*done, "--host", deaf], cwd=PROJECT, capture_output=True, text=True)
    assert process.returncode == 1
    assert "cannot be reached" in process.stderr
    assert time.monotonic() - began < 5  # and Python and kfp have been started in it


def test_a_host_that_falls_silent_later_is_not_waited_for_either(cluster, submit, monkeypatch):
    answer, silent = cluster.answer, threading.Event()

    def then_nothing(method, path, query, body):
        if path.endswith("/runs"):
            silent.wait()
        return answer(method, path, query, body)

    monkeypatch.setattr(cluster, "answer", then_nothing)
    monkeypatch.setattr(connection, "TIMEOUT", (0.2, 0.2))
    began = time.monotonic()
    code, _, errors = submit("list")
    silent.set()
    assert code == 1
    assert time.monotonic() - began < 5
    assert errors == f"pipelines.submit: {cluster.url} cannot be reached: timed out\n"


@pytest.mark.parametrize(
    ("host", "why"),
    [("http://127.0.0.1:9", "Connection refused"), ("http://nowhere.invalid", "not known")],
)
def test_a_host_that_is_not_there_is_said_at_once_with_the_reason(host, why, cluster, submit):
    code, _, errors = submit("list", "--host", host)
    assert code == 1
    assert errors.startswith(f"pipelines.submit: {host} cannot be reached: ")
    assert why in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "answer", "sentence"),
    [
        (401, "{}", "does not let these credentials in (401)"),
        (403, "{}", "or has the token expired?"),
        (404, "nothing here", "answers, but is not Kubeflow Pipelines: 404"),
        (200, "<html>Sign in</html>", "does it want --iap-client-id or KFP_TOKEN?"),
        (500, '{"error_message": "the database is down"}', "refuses: 500 the database is down"),
    ],
)
def test_what_answers_in_the_place_of_kubeflow_is_told_from_it(status, answer, sentence, cluster, submit):
    cluster.refusals["GET"] = (status, answer)
    code, _, errors = submit("list")
    assert code == 1
    assert sentence in errors
    assert errors.count("\n") == 1


# Credentials


@pytest.mark.parametrize("refuse", [False, True])
def test_a_token_is_shown_to_the_host_and_to_nobody_else(refuse, cluster, submit, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("KFP_TOKEN", SECRET)
    if refuse:
        cluster.refusals["GET /apis/v2beta1/runs"] = (401, "{}")
    code, output, errors = submit("list")
    assert code == refuse
    assert authorizations(cluster) == {f"Bearer {SECRET}"}
    assert SECRET not in output + errors + caplog.text
    assert SECRET not in repr(connection.Where(host="http://host", token=SECRET))


def test_inside_of_a_cluster_its_service_is_asked_with_the_pods_own_token(no_host, submit, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setattr(connection, "SERVICE", no_host.url)  # whose name means something inside only
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    assert submit("list")[0] == 0
    (tmp_path / "token").write_text(SECRET)
    assert submit("list")[0] == 0
    assert authorizations(no_host) == {None, f"Bearer {SECRET}"}


def test_the_identity_aware_proxy_is_shown_a_token_made_for_it(cluster, submit, monkeypatch, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # of no account: it lives as long as this test
    account = {
        "type": "service_account",
        "client_email": "someone@project.iam.gserviceaccount.com",
        "private_key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "token_uri": f"{cluster.url}/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    monkeypatch.setattr(auth, "OAUTH_TOKEN_URI", f"{cluster.url}/token")
    monkeypatch.setattr(auth, "LOCAL_KFP_CREDENTIAL", str(tmp_path / "none"))
    cluster.refusals["POST /token"] = (200, json.dumps({"access_token": "x", "id_token": SECRET, "expires_in": 3600}))
    code, _, errors = submit("list", "--iap-client-id", "the-proxy.apps.googleusercontent.com")
    assert (code, errors) == (0, "")
    asked = [headers.get("authorization") for _, path, *_, headers in cluster.asked if path != "/token"]
    assert set(asked) == {f"Bearer {SECRET}"}


def test_without_credentials_for_the_proxy_it_is_said_which_it_wants(cluster, submit, monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    monkeypatch.setattr(auth, "LOCAL_KFP_CREDENTIAL", str(tmp_path / "none"))
    code, _, errors = submit("list", "--iap-client-id", "the-proxy.apps.googleusercontent.com")
    assert code == 1
    assert "KF_PIPELINES_APP_OAUTH2_CLIENT_ID and KF_PIPELINES_APP_OAUTH2_CLIENT_SECRET" in errors
