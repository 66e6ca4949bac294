"""A stand-in for a cluster: the parts of Kubeflow Pipelines' and of Kubernetes' REST APIs that need a memory.

Runs proceed by one stage each time that they are looked at; recurring runs are made and removed, and never fire.
What the requests must look like is tested elsewhere, against Prism (`test_prism.py`).
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

API = "/apis/v2beta1"
NEVER = "0001-01-01T00:00:00Z"  # how Kubeflow Pipelines writes a time that has not come
WORKFLOW = "dreamblock-x7k2p"


def stamp(second: int) -> str:
    return f"2026-11-23T04:{second // 60:02}:{second % 60:02}Z"


def stage(*steps: tuple[str, str], state: str = "RUNNING") -> dict[str, Any]:
    """A run as it is at some moment: its steps with their states, among what else the API lists."""
    names = [("root-driver", "SUCCEEDED"), ("root", state), (WORKFLOW, state), ("for-loop-1", "SUCCEEDED")]
    names += [("iteration-item(0:0)", "SUCCEEDED"), ("for-loop-1-driver", "SUCCEEDED"), ("executor", "SUCCEEDED")]
    tasks = []
    for second, (name, task_state) in enumerate([*names, *steps]):
        ended = stamp(second + 65) if task_state in ("SUCCEEDED", "FAILED") else NEVER
        begun = NEVER if task_state == "PENDING" else stamp(second)
        tasks.append({"display_name": name, "state": task_state, "start_time": begun, "end_time": ended})
    finished = NEVER if state in ("PENDING", "RUNNING") else stamp(725)
    return {"state": state, "finished_at": finished, "run_details": {"task_details": tasks}}


DATA = (("plan", "SUCCEEDED"), ("generate-data", "SUCCEEDED"), ("generate-data", "SUCCEEDED"))
SUCCEEDS = (
    stage(state="PENDING"),
    stage(("plan", "SUCCEEDED"), ("generate-data", "SUCCEEDED"), ("generate-data", "RUNNING")),
    stage(*DATA, ("train-world-model", "RUNNING")),
    stage(*DATA, ("train-world-model", "SUCCEEDED"), ("evaluate", "SUCCEEDED"), state="SUCCEEDED"),
)
FAILS = (
    stage(*DATA, ("train-world-model", "RUNNING")),
    stage(*DATA, ("train-world-model", "FAILED"), state="FAILED"),
)


@dataclass
class Kubeflow:
    """What the cluster holds, and what it has been asked.

    Attributes:
        url: where it is found.
        stages: what runs go through that are started from now on.
        refusals: answers, by the beginning of "METHOD /path", that come in the place of the real ones.
        asked: of each request method, path, query, body (as data) and headers.
        logs: of pods, by their names.
    """

    url: str = ""
    stages: tuple[dict[str, Any], ...] = SUCCEEDS
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], Any, dict[str, str]]] = field(default_factory=list)
    pipelines: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    experiments: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    ahead: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    recurring: list[dict[str, Any]] = field(default_factory=list)
    pods: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)

    def bodies(self, beginning: str) -> list[Any]:
        """What was sent with the requests whose "METHOD /path" begins so."""
        return [body for method, path, _, body, _ in self.asked if f"{method} {path}".startswith(beginning)]

    def add_run(self, run_id: str, now: dict[str, Any], **more: Any) -> None:
        """A run that was started before, and stays as it is."""
        begun = {"run_id": run_id, "created_at": stamp(len(self.runs)), "display_name": run_id}
        self.runs[run_id] = begun | deepcopy(now) | more
        self.ahead[run_id] = []

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """The answer to a request as data, or a KeyError for what is not there."""
        match method, path.removeprefix(API).strip("/").split("/"):
            case "GET", ["healthz"]:
                return {"multi_user": False}
            case "GET", ["experiments"]:
                return {"experiments": chosen(self.experiments, query)}
            case "POST", ["experiments"]:
                return added(self.experiments, body, "experiment_id")
            case "GET", ["pipelines"]:
                return {"pipelines": chosen(self.pipelines, query)}
            case "POST", ["pipelines"]:
                return added(self.pipelines, body, "pipeline_id")
            case "POST", ["pipelines", "upload_version"]:
                new = {"display_name": query["name"], "pipeline_id": query["pipelineid"], "pipeline_spec": body}
                return added(self.versions, new, "pipeline_version_id")
            case "GET", ["pipelines", _, "versions"]:
                return page("pipeline_versions", self.versions[::-1], query)
            case "GET", ["pipelines", _, "versions", version]:
                return next(one for one in self.versions if one["pipeline_version_id"] == version)
            case "POST", ["runs"]:
                return self.begin(body)
            case "GET", ["runs"]:
                return page("runs", list(self.runs.values())[::-1], query)
            case "GET", ["runs", run_id]:
                if self.ahead[run_id]:
                    self.runs[run_id] |= self.ahead[run_id].pop(0)
                return self.runs[run_id]
            case "POST", ["recurringruns"]:
                return added(self.recurring, body | {"status": "ENABLED"}, "recurring_run_id")
            case "GET", ["recurringruns"]:
                return page("recurringRuns", chosen(self.recurring, query)[::-1], query)
            case "DELETE", ["recurringruns", one]:
                (index,) = (i for i, found in enumerate(self.recurring) if found["recurring_run_id"] == one)
                return self.recurring.pop(index) and {}
            case "GET", ["api", "v1", "namespaces", "kubeflow", "pods"]:
                label, _, value = query["labelSelector"].partition("=")
                items = [pod for pod in self.pods if pod["metadata"]["labels"][label] == value]
                return {"kind": "PodList", "apiVersion": "v1", "items": items}
            case "GET", ["api", "v1", "namespaces", "kubeflow", "pods", pod, "log"]:
                return "\n".join(self.logs[pod].splitlines()[-int(query["tailLines"]) :])
        raise KeyError(path)

    def begin(self, body: dict[str, Any]) -> dict[str, Any]:
        run_id = f"3f2c{len(self.runs):04}-0000-4000-8000-000000000000"
        self.runs[run_id] = body | {"run_id": run_id, "created_at": stamp(len(self.runs)), "state": "PENDING"}
        self.ahead[run_id] = [deepcopy(one) for one in self.stages]
        return self.runs[run_id]


def added(place: list[dict[str, Any]], new: dict[str, Any], key: str) -> dict[str, Any]:
    place.append(new | {key: f"{key}-{time.monotonic_ns()}"})
    return place[-1]


def chosen(found: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    """Those that a filter by name lets through, to which large and small letters are alike."""
    names = [one["stringValue"].lower() for one in json.loads(query.get("filter", '{"predicates": []}'))["predicates"]]
    return [one for one in found if all(one["display_name"].lower() == name for name in names)]


def page(what: str, found: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    first, size = int(query.get("page_token") or 0), int(query["page_size"])
    following = {"next_page_token": str(first + size)} if first + size < len(found) else {}
    return {what: found[first : first + size], **following}


@contextmanager
def kubeflow() -> Iterator[Kubeflow]:
    cluster = Kubeflow()
    listener = _Listener(("127.0.0.1", 0), _Handler)
    listener.cluster = cluster
    cluster.url = f"http://127.0.0.1:{listener.server_port}"
    threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield cluster
    finally:
        listener.shutdown()
        listener.server_close()


class _Listener(ThreadingHTTPServer):
    cluster: Kubeflow

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing is said of a client that does not wait for its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_request(self) -> None:
        cluster, url = self.server.cluster, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = _data(self.headers, self.rfile.read(int(self.headers.get("Content-Length", 0))))
        cluster.asked.append((self.command, url.path, query, body, dict(self.headers)))
        for beginning, (status, text) in cluster.refusals.items():
            if f"{self.command} {url.path}".startswith(beginning):
                return self.send(status, text)
        try:
            answer = cluster.answer(self.command, url.path, query, body)
        except (KeyError, StopIteration):
            return self.send(404, json.dumps({"error": "not found", "message": "not found"}))
        self.send(200, answer if isinstance(answer, str) else json.dumps(answer))

    do_GET = do_POST = do_DELETE = handle_request

    def send(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if text[:1] in "{[" else "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Nothing: the tests have their own."""


def _data(headers: Message, content: bytes) -> Any:
    """A request's body as data: JSON, the YAML of an uploaded pipeline, or the text of a form."""
    kind, _, boundary = headers.get("Content-Type", "").partition("; boundary=")
    if kind == "multipart/form-data":
        part = content.split(b"--" + boundary.encode())[1]
        return next(yaml.safe_load_all(part.partition(b"\r\n\r\n")[2]))
    return json.loads(content) if content and kind == "application/json" else content.decode()
