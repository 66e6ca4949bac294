"""What must be so for a run on the cluster. Each check says in what way it is, or raises Trouble."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import kubernetes
import requests
import urllib3
from google.api_core import exceptions
from google.cloud import storage
from kubernetes.client.exceptions import ApiException

from setup.google_cloud import LOG_IN, TIMEOUT, GoogleCloud, log_in, request
from setup.settings import Settings
from setup.trouble import Trouble

NAMESPACE = "kubeflow"
DEPLOYMENTS = ("ml-pipeline", "ml-pipeline-persistenceagent", "ml-pipeline-scheduledworkflow", "workflow-controller")
ACCOUNTS = {"pipeline-runner": "dreamblock-runs", "ml-pipeline-ui": "dreamblock-ui"}  # Kubernetes': Google Cloud's
GPU = "nvidia.com/gpu"
ACCELERATOR = "cloud.google.com/gke-accelerator"
GOOGLES = re.compile(r"([\w-]+\.)+pkg\.dev|([\w-]+\.)?gcr\.io")  # registries
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)


@dataclass
class Scene:
    """What is looked at, and the ways to it that the first checks open."""

    settings: Settings
    images: list[str]
    google: GoogleCloud = field(init=False)
    cluster: kubernetes.client.ApiClient = field(init=False)


def credentials(scene: Scene) -> str:
    scene.google = log_in()
    return getattr(scene.google.credentials, "service_account_email", "") or "of a user"


def api_server(scene: Scene) -> str:
    name, project, zone = scene.settings.cluster, scene.settings.project, scene.settings.zone
    configuration = kubernetes.client.Configuration()
    try:
        kubernetes.config.load_kube_config(context=scene.settings.context, client_configuration=configuration)
    except kubernetes.config.ConfigException as error:
        fetch = f"gcloud container clusters get-credentials {name} --project={project} --location={zone}"
        raise Trouble(f"kubectl does not know the cluster {name}", fetch) from error
    configuration.retries = 0
    scene.cluster = kubernetes.client.ApiClient(configuration)
    with _asking(scene):
        version = kubernetes.client.VersionApi(scene.cluster).get_code(_request_timeout=TIMEOUT)
    return f"{configuration.host}, Kubernetes {version.git_version}"


def kubeflow(scene: Scene) -> str:
    with _asking(scene):
        apps = kubernetes.client.AppsV1Api(scene.cluster)
        found = apps.list_namespaced_deployment(NAMESPACE, _request_timeout=TIMEOUT).items
    ready = {one.metadata.name: (one.status.ready_replicas or 0) >= (one.spec.replicas or 0) for one in found}
    missing = [name for name in DEPLOYMENTS if name not in ready]
    if missing:
        raise Trouble(f"Kubeflow Pipelines is not installed, {', '.join(missing)} missing", "bash setup/kubeflow.sh up")
    waiting = [name for name, is_ready in ready.items() if not is_ready]
    if waiting:
        raise Trouble(f"{', '.join(waiting)} not ready", f"kubectl --namespace {NAMESPACE} describe pods")
    return f"{len(ready)} deployments ready"


def gpus(scene: Scene) -> str:
    pools = [pool for pool in _gke(scene).get("nodePools", []) if pool.get("config", {}).get("accelerators")]
    if not pools:
        raise Trouble(f"the cluster {scene.settings.cluster} has no pool of GPUs", "bash setup/gpus.sh up")
    with _asking(scene):
        core = kubernetes.client.CoreV1Api(scene.cluster)
        nodes = core.list_node(label_selector=ACCELERATOR, _request_timeout=TIMEOUT).items
    for pool in pools:
        (gpu,) = pool["config"]["accelerators"]
        drivers = gpu.get("gpuDriverInstallationConfig", {}).get("gpuDriverVersion")
        again = "bash setup/gpus.sh down and up, with its type and count"
        if pool.get("status", "RUNNING") != "RUNNING":
            raise Trouble(f"the pool {pool['name']} is in state {pool['status']}", again)
        if drivers == "INSTALLATION_DISABLED":
            raise Trouble(f"the nodes of the pool {pool['name']} get no drivers", again)
    for node in nodes:
        if not int((node.status.allocatable or {}).get(GPU, 0)):
            name = node.metadata.name
            raise Trouble(f"the node {name} shows no GPU, its drivers are not ready", f"kubectl describe node {name}")
    up = [node.metadata.labels.get("cloud.google.com/gke-nodepool") for node in nodes]
    return "; ".join(_pool(pool, up.count(pool["name"])) for pool in pools)


def bucket(scene: Scene) -> str:
    name = scene.settings.bucket
    client = storage.Client(scene.settings.project, scene.google.credentials)
    blob = client.bucket(name).blob(f"doctor/{uuid.uuid4().hex}")
    try:
        blob.upload_from_string(b"written by setup.doctor", timeout=TIMEOUT, retry=None)
        blob.download_as_bytes(timeout=TIMEOUT, retry=None)
        blob.delete(timeout=TIMEOUT, retry=None)
    except exceptions.NotFound as error:
        raise Trouble(f"there is no bucket gs://{name}", "bash setup/storage.sh up") from error
    except (exceptions.Forbidden, exceptions.Unauthorized) as error:
        grant = f"gcloud storage buckets add-iam-policy-binding gs://{name}"
        remedy = f"{grant} --member=user:YOU@DOMAIN --role=roles/storage.objectUser"
        raise Trouble(f"gs://{name} does not let these credentials read and write", remedy) from error
    except (exceptions.GoogleAPICallError, requests.RequestException) as error:
        raise Trouble(f"gs://{name} cannot be reached, {type(error).__name__}", "check the network") from error
    return f"gs://{name}, written, read and removed an object"


def workload_identity(scene: Scene) -> str:
    settings = scene.settings
    pool = f"{settings.project}.svc.id.goog"
    if _gke(scene).get("workloadIdentityConfig", {}).get("workloadPool") != pool:
        raise Trouble(f"the cluster {settings.cluster} has no Workload Identity", "bash setup/cluster.sh down and up")
    for account, email in ((name, settings.email(of)) for name, of in ACCOUNTS.items()):
        with _asking(scene):
            core = kubernetes.client.CoreV1Api(scene.cluster)
            found = core.read_namespaced_service_account(account, NAMESPACE, _request_timeout=TIMEOUT)
        if (found.metadata.annotations or {}).get("iam.gke.io/gcp-service-account") != email:
            raise Trouble(f"Kubernetes' account {account} does not name {email}", "bash setup/kubeflow.sh up")
        policy = scene.google.ask("iam", f"projects/{settings.project}/serviceAccounts/{email}:getIamPolicy", "POST")
        if policy is None:
            raise Trouble(f"there is no service account {email}", "bash setup/storage.sh up")
        members = {
            member
            for binding in policy.get("bindings", [])
            if binding["role"] == "roles/iam.workloadIdentityUser"
            for member in binding["members"]
        }
        if f"serviceAccount:{pool}[{NAMESPACE}/{account}]" not in members:
            raise Trouble(f"{account}'s pods may not be {email}", "bash setup/storage.sh up")
    return ", ".join(f"{account} is {of}" for account, of in ACCOUNTS.items())


def images(scene: Scene) -> str:
    for image in scene.images:
        name, _, digest = image.partition("@")
        host, _, path = name.partition("/")
        if not digest.startswith("sha256:") or not path:
            raise Trouble(f"{image} is no image by digest", "name it as registry/name@sha256:...")
        scheme = "http" if host.split(":")[0] in ("localhost", "127.0.0.1") else "https"  # as docker does
        ask = scene.google.request if GOOGLES.fullmatch(host) else request  # nobody else gets to see the credentials
        found = ask("HEAD", f"{scheme}://{host}/v2/{path}/manifests/{digest}", Accept=MANIFESTS)
        if not found.ok:
            raise Trouble(f"the registry has no {image}", "build and push the images")
    return f"{len(scene.images)} in the registry" if scene.images else "none named, see --image"


@dataclass(frozen=True)
class Check:
    name: str
    look: Callable[[Scene], str]
    needs: tuple[str, ...] = ()


# Of two rounds: what the second needs, and the second.
CHECKS = (
    (Check("credentials", credentials), Check("API server", api_server)),
    (
        Check("Kubeflow Pipelines", kubeflow, ("API server",)),
        Check("GPU pools", gpus, ("credentials", "API server")),
        Check("bucket", bucket, ("credentials",)),
        Check("Workload Identity", workload_identity, ("credentials", "API server")),
        Check("images", images, ("credentials",)),
    ),
)


def _gke(scene: Scene) -> dict[str, Any]:
    """What GKE says of the cluster; a pool without nodes is known to nobody else."""
    settings = scene.settings
    path = f"projects/{settings.project}/locations/{settings.zone}/clusters/{settings.cluster}"
    found = scene.google.ask("container", path)
    if found is None:
        raise Trouble(f"there is no cluster {settings.cluster} in {settings.zone}", "bash setup/cluster.sh up")
    return found


def _pool(pool: dict[str, Any], up: int) -> str:
    (gpu,) = pool["config"]["accelerators"]
    most = pool.get("autoscaling", {}).get("maxNodeCount", up)
    return f"{pool['name']}, {gpu['acceleratorCount']} x {gpu['acceleratorType']}, {up} of {most} nodes up"


@contextmanager
def _asking(scene: Scene) -> Iterator[None]:
    """Says in one sentence why the API server does not answer, or not us."""
    host = scene.cluster.configuration.host
    try:
        yield
    except ApiException as error:
        if error.status in (401, 403):
            raise Trouble(f"{host} does not let these credentials in", f"gcloud auth login, {LOG_IN}") from error
        if error.status == 404:
            raise Trouble(f"{host} has nothing of Kubeflow Pipelines", "bash setup/kubeflow.sh up") from error
        raise Trouble(f"{host} answers {error.status} {error.reason}", "try again in a minute") from error
    except urllib3.exceptions.HTTPError as error:
        remedy = "check the network, and that the cluster is up: gcloud container clusters list"
        raise Trouble(f"{host} cannot be reached, {type(error).__name__}", remedy) from error
