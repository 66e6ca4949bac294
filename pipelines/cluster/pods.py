"""What Kubernetes knows of a run's pods and Kubeflow Pipelines does not tell: why one failed, and why one waits."""

import re
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from pipelines.cluster.connection import Where
from pipelines.cluster.errors import ClusterError

LINES = 20  # of a log
TIMEOUT = (4, 10)  # seconds for a connection, and for an answer
RUN = "pipeline/runid"  # Kubeflow Pipelines' label of a run's pods
NODE = "workflows.argoproj.io/node-name"  # Argo's annotation: the names of what a pod is part of, with dots between


def failure(where: Where, run_id: str, step: str) -> str:
    """The pod in which a step failed, with its reason and the last lines of its log.

    Raises:
        ClusterError: Kubernetes cannot be asked, or has no such pod any more.
    """
    cluster = _kubernetes(where)
    failed = [pod for pod in _pods(cluster, where, run_id) if _is_of(pod, step) and pod.status.phase == "Failed"]
    if not failed:
        if where.host and not (where.context or where.is_here):
            raise ClusterError(
                f"kubectl's current cluster has no pod of {step}: it is gone, or {where.host} is of another cluster, "
                "which --context names"
            )
        raise ClusterError(f"the pod of {step} is gone, and its log with it; Cloud Logging may still have it")
    pod = max(failed, key=lambda pod: pod.metadata.creation_timestamp)
    name = pod.metadata.name
    try:
        log = cluster.read_namespaced_pod_log(
            name, where.namespace, container="main", tail_lines=LINES, _request_timeout=TIMEOUT
        )
    except ApiException as error:  # of a container that never began there is none
        log = f"(no log: {error.status} {error.reason})"
    except urllib3.exceptions.HTTPError as error:
        log = f"(no log: {type(error).__name__})"
    lines = "\n".join(f"    {line}" for line in log.strip().splitlines()) or "    (nothing)"
    return f"{step} failed in the pod {name} ({_reason(pod)}). Its last lines:\n{lines}"


def waiting(where: Where, run_id: str) -> list[str]:
    """Why pods of a run do not begin: no node for them, an image that cannot be pulled.

    Raises:
        ClusterError: Kubernetes cannot be asked.
    """
    found = []
    for pod in _pods(_kubernetes(where), where, run_id):
        if pod.status.phase == "Pending":
            refused = [c for c in pod.status.conditions or [] if c.type == "PodScheduled" and c.status == "False"]
            states = [status.state.waiting for status in pod.status.container_statuses or []]
            stuck = [state for state in states if state and state.message]
            found += [f"{pod.metadata.name}: {cause.reason}: {cause.message}" for cause in [*refused, *stuck]]
    return found


def _kubernetes(where: Where) -> client.CoreV1Api:
    settings = client.Configuration()
    try:
        if where.is_here:
            config.load_incluster_config(settings)
        else:
            config.load_kube_config(context=where.context or None, client_configuration=settings)
    except ConfigException as error:
        raise ClusterError(f"kubectl is set up for no cluster: {error}") from error
    settings.retries = False
    return client.CoreV1Api(client.ApiClient(settings))


def _pods(cluster: client.CoreV1Api, where: Where, run_id: str) -> list[Any]:
    try:
        return cluster.list_namespaced_pod(
            where.namespace, label_selector=f"{RUN}={run_id}", _request_timeout=TIMEOUT
        ).items
    except ApiException as error:
        raise ClusterError(f"Kubernetes does not show the run's pods: {error.status} {error.reason}") from error
    except (urllib3.exceptions.HTTPError, config.ConfigException) as error:
        raise ClusterError(f"Kubernetes cannot be asked for the run's pods: {error}") from error


def _is_of(pod: Any, step: str) -> bool:
    names = re.split(r"[.()]", (pod.metadata.annotations or {}).get(NODE, ""))
    return step in names or f"{step}-driver" in names


def _reason(pod: Any) -> str:
    """As Kubernetes has it: evicted, or killed for its memory, or an exit code."""
    ends = [status.state.terminated for status in pod.status.container_statuses or [] if status.name == "main"]
    if pod.status.reason:
        return f"{pod.status.reason}: {pod.status.message}"
    return f"{ends[0].reason}, exit code {ends[0].exit_code}" if ends and ends[0] else "for no reason that is known"
