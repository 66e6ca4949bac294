"""A stand-in on loopback for what the doctor asks: a cluster's API server, GKE, IAM, a registry, a metadata server.

What it says is in `answers`, by method and path; the tests change it.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROJECT, CLUSTER, ZONE = "my-dreams", "dreamblock", "us-central1-a"
DIGEST = "sha256:" + "0a" * 32
GKE = f"/v1/projects/{PROJECT}/locations/{ZONE}/clusters/{CLUSTER}"
NODES = "/api/v1/nodes"
DEPLOYMENTS = "/apis/apps/v1/namespaces/kubeflow/deployments"
IMAGE = f"/v2/dreamblock/gpu/manifests/{DIGEST}"
ACCOUNTS = {"pipeline-runner": "dreamblock-runs", "ml-pipeline-ui": "dreamblock-ui"}


def account(name: str) -> str:
    return f"/api/v1/namespaces/kubeflow/serviceaccounts/{name}"


def policy(name: str) -> str:
    return f"/v1/projects/{PROJECT}/serviceAccounts/{name}@{PROJECT}.iam.gserviceaccount.com:getIamPolicy"


def deployment(name: str, ready: int = 1) -> dict[str, Any]:
    spec = {"replicas": 1, "selector": {}, "template": {}}
    return {"metadata": {"name": name}, "spec": spec, "status": {"readyReplicas": ready}}


def node(name: str, pool: str, gpus: str | None) -> dict[str, Any]:
    allocatable = {"cpu": "7910m"} | ({"nvidia.com/gpu": gpus} if gpus is not None else {})
    labels = {"cloud.google.com/gke-nodepool": pool, "cloud.google.com/gke-accelerator": "nvidia-l4"}
    return {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": allocatable}}


def all_well() -> dict[tuple[str, str], tuple[int, Any]]:
    """A cluster with Kubeflow, one pool of GPUs that has no node now, and the rest."""
    names = ("ml-pipeline", "ml-pipeline-persistenceagent", "ml-pipeline-scheduledworkflow", "workflow-controller")
    gpu = {
        "acceleratorCount": "1",
        "acceleratorType": "nvidia-l4",
        "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"},
    }
    cluster = {
        "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"},
        "nodePools": [
            {"name": "default-pool", "status": "RUNNING", "config": {"machineType": "e2-standard-4"}},
            {
                "name": "nvidia-l4-1",
                "status": "RUNNING",
                "config": {"accelerators": [gpu]},
                "autoscaling": {"enabled": True, "maxNodeCount": 2},
            },
        ],
    }
    here = "/computeMetadata/v1/instance/service-accounts/default/"
    answers: dict[tuple[str, str], tuple[int, Any]] = {
        ("GET", "/"): (200, {}),
        ("GET", "/computeMetadata/v1/project/project-id"): (200, PROJECT),
        ("GET", "/computeMetadata/v1/universe/universe-domain"): (200, "googleapis.com"),
        ("GET", here): (200, {"email": "me@my-dreams.iam.gserviceaccount.com", "scopes": []}),
        ("GET", here + "token"): (200, {"access_token": "a-token", "expires_in": 3600}),
        ("GET", "/version/"): (200, version()),
        ("GET", DEPLOYMENTS): (200, {"items": [deployment(name) for name in names]}),
        ("GET", NODES): (200, {"items": []}),
        ("GET", GKE): (200, cluster),
        ("HEAD", IMAGE): (200, {}),
    }
    for name, google in ACCOUNTS.items():
        email = f"{google}@{PROJECT}.iam.gserviceaccount.com"
        metadata = {"name": name, "annotations": {"iam.gke.io/gcp-service-account": email}}
        member = f"serviceAccount:{PROJECT}.svc.id.goog[kubeflow/{name}]"
        bindings = [{"role": "roles/iam.workloadIdentityUser", "members": [member]}]
        answers["GET", account(name)] = (200, {"metadata": metadata})
        answers["POST", policy(google)] = (200, {"bindings": bindings})
    return answers


def version() -> dict[str, str]:
    rest = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
    return {"major": "1", "minor": "33", "gitVersion": "v1.33.5-gke.1"} | dict.fromkeys(rest, "")


@dataclass
class Google:
    host: str = ""
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=all_well)
    tokens: set[str] = field(default_factory=set)


@contextmanager
def google_server() -> Iterator[Google]:
    google = Google()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            path = self.path.partition("?")[0]
            if not path.startswith("/computeMetadata") and path != "/":
                google.tokens.add(self.headers.get("Authorization", ""))
            status, content = google.answers.get((self.command, path), (404, {"message": f"no {path}"}))
            text = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Type", "application/text" if isinstance(content, str) else "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_POST = do_HEAD = answer

        def log_message(self, *args: object) -> None:
            """Nothing: the tests have their own."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    google.host = f"127.0.0.1:{listener.server_port}"
    threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield google
    finally:
        listener.shutdown()
        listener.server_close()
