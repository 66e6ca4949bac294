"""`kubectl port-forward` to Kubeflow Pipelines, as long as it is needed."""

import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from pipelines.cluster.errors import ClusterError

SLOW = 2.5  # seconds after which it is said that the cluster has not answered yet: with kfp's start, below 5
PATIENCE = 20.0  # seconds that a cluster is given: the plugin for credentials, the API server, the pod


@contextmanager
def port_forward(context: str, namespace: str) -> Iterator[str]:
    """The URL on this machine that leads to Kubeflow Pipelines, by a free port.

    Raises:
        ClusterError: kubectl is missing or finds no way, with its own words.
    """
    chosen = ["--context", context] if context else []
    command = ["kubectl", *chosen, "--namespace", namespace, "port-forward", "service/ml-pipeline", ":8888"]
    with tempfile.TemporaryFile("w+") as errors, _started(command, errors) as process:
        try:
            port = _port(process)
            if not port:
                process.kill()
                process.wait()
                errors.seek(0)
                *_, last = ["it has not answered", *errors.read().strip().splitlines()]
                raise ClusterError(f"kubectl finds no way to Kubeflow Pipelines in namespace {namespace}: {last}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _started(command: list[str], errors: IO[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    except FileNotFoundError:
        raise ClusterError(
            "kubectl, which leads to the cluster, is not installed: gcloud components install kubectl, or name the "
            "address of Kubeflow Pipelines with --host"
        ) from None


def _port(process: subprocess.Popen[str]) -> str:
    """The port that kubectl has chosen; "" if it ended, or did not answer in time."""
    ports: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(process.stdout, ports), daemon=True).start()
    try:
        return ports.get(timeout=SLOW)
    except queue.Empty:
        print(f"the cluster has not answered for {SLOW:g} s, trying for {PATIENCE:g} s", file=sys.stderr, flush=True)
    try:
        return ports.get(timeout=PATIENCE - SLOW)
    except queue.Empty:
        return ""


def _listen(output: IO[str], ports: queue.SimpleQueue[str]) -> None:
    """Hand on the port, and read on to the end: kubectl reports each connection, and stands still if nobody listens."""
    for line in output:
        if found := re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", line):
            ports.put(found[1])
    ports.put("")
