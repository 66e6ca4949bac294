"""A connection to Kubeflow Pipelines: a given host, `kubectl port-forward`, or from inside the cluster."""

import json
import os
import queue
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api
import urllib3
from google.auth.exceptions import GoogleAuthError
from kfp import client as kfp
from kfp_server_api.exceptions import ApiException

from pipelines.cluster.errors import ClusterError
from pipelines.cluster.port_forward import port_forward

DEADLINE = 2.5  # seconds until a host that does not answer is called unreachable: with what kfp takes to start, below 5
TIMEOUT = (4.0, 30.0)  # seconds for a connection, and for an answer, once it has answered
SERVICE = "http://ml-pipeline.{namespace}.svc.cluster.local:8888"  # Kubeflow Pipelines, from inside the cluster
INSIDE = "KUBERNETES_SERVICE_HOST"  # set in each pod by Kubernetes

T = TypeVar("T")


@dataclass(frozen=True)
class Where:
    """Which cluster, and by which way.

    Attributes:
        host: URL of Kubeflow Pipelines; "" for the service inside of the cluster, `kubectl port-forward` outside.
        context: kubectl's, "" for its current one; inside of a cluster "" for that one.
        namespace: the one that Kubeflow Pipelines is installed in.
        iap_client_id: OAuth client of the Identity-Aware Proxy before the host, "" for none.
        token: what the host is shown as a bearer token, "" for none.
    """

    host: str = ""
    context: str = ""
    namespace: str = "kubeflow"
    iap_client_id: str = ""
    token: str = field(default="", repr=False)

    def __post_init__(self):
        if self.host and not self.host.startswith(("http://", "https://")):
            raise ValueError(f"--host takes a URL that begins with http:// or https://, got {self.host!r}")
        if not self.host and (self.iap_client_id or self.token):
            what = "--iap-client-id" if self.iap_client_id else "KFP_TOKEN"
            raise ValueError(f"{what} is for a host that asks for it: name the host with --host")

    @property
    def is_here(self) -> bool:
        """Whether it is the cluster in which this process is a pod."""
        return INSIDE in os.environ and not self.context


@contextmanager
def connected(where: Where) -> Iterator[kfp.Client]:
    """kfp's client of the cluster, as long as the block lasts.

    Raises:
        ClusterError: there is no way to the cluster, or what the block has asked of it was refused.
    """
    with ExitStack() as stack:
        if where.host:
            host = where.host
        elif where.is_here:
            host = SERVICE.format(namespace=where.namespace)
        else:
            host = stack.enter_context(port_forward(where.context, where.namespace))
        try:
            yield _client(host, where)
        except ApiException as error:
            raise ClusterError(_refusal(host, error)) from error
        except GoogleAuthError as error:
            raise ClusterError(
                f"{host} is behind the Identity-Aware Proxy, and no credentials for it were found: run as a service "
                "account, or set KF_PIPELINES_APP_OAUTH2_CLIENT_ID and KF_PIPELINES_APP_OAUTH2_CLIENT_SECRET"
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(f"{host} cannot be reached: {_cause(error)}") from error


class _Client(kfp.Client):
    """kfp's client, which says at once whether there is anybody."""

    def get_kfp_healthz(self, sleep_duration: int = 5) -> kfp_server_api.V2beta1GetHealthzResponse:
        """Asked once. kfp's own asks five times with five seconds between, and takes a login page for an answer."""
        host = self._existing_config.host
        try:
            response = _within(DEADLINE, lambda: self._healthz_api.healthz_service_get_healthz(_preload_content=False))
            content = json.loads(response.data)
            return kfp_server_api.V2beta1GetHealthzResponse(multi_user=content.get("multi_user", False))
        except TimeoutError:
            raise ClusterError(f"{host} cannot be reached: it has not answered for {DEADLINE:g} s") from None
        except ApiException as error:
            if error.status != 404:
                raise
            raise ClusterError(f"{host} answers, but is not Kubeflow Pipelines: 404 {error.reason}") from None
        except (ValueError, AttributeError):
            raise ClusterError(
                f"{host} answers with a page instead of Kubeflow Pipelines' API: is it the right address, and does it "
                "want --iap-client-id or KFP_TOKEN?"
            ) from None


def _client(host: str, where: Where) -> kfp.Client:
    token_file = Path(os.environ.get(kfp.KF_PIPELINES_SA_TOKEN_ENV, kfp.KF_PIPELINES_SA_TOKEN_PATH))
    inside = not (where.host or where.context) and token_file.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # kfp's, about backends older than 2.0
        client = _Client(
            host,
            existing_token=where.token or None,
            client_id=where.iap_client_id or None,
            credentials=kfp.ServiceAccountTokenVolumeCredentials() if inside else None,
        )
    client.get_kfp_healthz()  # with a namespace in its settings file kfp has not asked yet
    _limit(client.runs.api_client)
    return client


def _limit(api: kfp_server_api.ApiClient) -> None:
    """Give its requests a time limit: without one, a connection that breaks without a word is waited on for ever."""
    ask = api.request

    def request(*arguments: Any, _request_timeout: Any = None, **options: Any) -> Any:
        return ask(*arguments, _request_timeout=_request_timeout or TIMEOUT, **options)

    api.request = request


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises; looking up a name cannot be given a limit in any other way.

    Raises:
        TimeoutError: that took longer. It is left to itself.
    """
    outcome: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put((ask(), None))
        except Exception as error:
            outcome.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        answer, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error:
        raise error
    return answer


def _refusal(host: str, error: ApiException) -> str:
    if error.status in (401, 403):
        return (
            f"{host} does not let these credentials in ({error.status}): is KFP_TOKEN or --iap-client-id missing, "
            "or has the token expired?"
        )
    try:
        body = json.loads(error.body)
        reason = body.get("error_message") or body.get("message") or body.get("error")
    except (ValueError, TypeError, AttributeError):
        reason = None
    return f"Kubeflow Pipelines at {host} refuses: {error.status} {' '.join(str(reason or error.reason).split())}"


def _cause(error: BaseException) -> str:
    """The innermost reason, which alone says something: the name is unknown, the connection refused."""
    inner = getattr(error, "reason", None) or error.__cause__
    if isinstance(inner, BaseException):
        return _cause(inner)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
