"""The user's credentials, and Google Cloud's REST with them."""

import functools
import os
from dataclasses import dataclass
from typing import Any

import google.auth
import requests
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.auth.transport.requests import Request

from setup.trouble import Trouble

TIMEOUT = (2.0, 2.5)  # seconds for a connection, and for an answer
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOG_IN = "gcloud auth application-default login"


@dataclass(frozen=True)
class GoogleCloud:
    credentials: Credentials

    def ask(self, api: str, path: str, method: str = "GET") -> dict[str, Any] | None:
        """The answer of an API, None where it knows no such thing. Where it is found can be changed as for gcloud:
        CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER, and so on.

        Raises:
            Trouble: it does not answer, or not us.
        """
        override = os.environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}")
        response = self.request(method, f"{override or f'https://{api}.googleapis.com/'}v1/{path}")
        return None if response.status_code == requests.codes.not_found else response.json()

    def request(self, method: str, url: str, **headers: str) -> requests.Response:
        """As the function of this name, with the credentials: only for what is Google's."""
        return request(method, url, Authorization=f"Bearer {self.credentials.token}", **headers)


def request(method: str, url: str, **headers: str) -> requests.Response:
    """An answer that is none of failure, but may be 404."""
    try:
        response = requests.request(method, url, headers=headers, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise Trouble(f"{url} cannot be reached: {type(error).__name__}", "check the network") from error
    if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
        if "Authorization" in headers:
            raise Trouble(f"{url} does not let these credentials in", "ask an owner of the project, or " + LOG_IN)
        raise Trouble(
            f"{url} wants credentials, and Google's are not for it", "look there with docker manifest inspect"
        )
    if response.status_code != requests.codes.not_found and not response.ok:
        raise Trouble(f"{url} answers {response.status_code} {response.reason}", "try again in a minute")
    return response


def log_in() -> GoogleCloud:
    """With the credentials that are found the standard way.

    Raises:
        Trouble: there are none, or they are not good any more.
    """
    request: Any = functools.partial(Request(), timeout=TIMEOUT[1])
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE], request=request)
        credentials.refresh(request)
    except DefaultCredentialsError as error:
        raise Trouble("there are no credentials for Google Cloud", LOG_IN) from error
    except RefreshError as error:
        raise Trouble("the credentials for Google Cloud are no longer good", LOG_IN) from error
    except TransportError as error:
        raise Trouble("the credentials for Google Cloud cannot be checked: no answer", "check the network") from error
    return GoogleCloud(credentials)
