"""The versions of the pipeline on a cluster: a new one is uploaded once, by a name that says what it holds."""

import hashlib
import json
from pathlib import Path
from typing import Any, TypeAlias

import kfp_server_api
from kfp.client import Client

from components.component import NO_IMAGE
from components.configuration import nearest
from pipelines.cluster import PIPELINE
from pipelines.cluster.pages import pages
from pipelines.engine.spec import load_spec
from pipelines.write import documents

Version: TypeAlias = kfp_server_api.V2beta1PipelineVersion


def check_file(path: Path) -> None:
    """Raise a ValueError if this compiled pipeline is not ours, or would not run on a cluster."""
    spec = load_spec(path)
    if spec.name != PIPELINE:
        raise ValueError(f"{path} is the pipeline {spec.name!r}, and not {PIPELINE!r}")
    if any(document.get("kind") for document in documents(path)):
        raise ValueError(f"{path} is a manifest for kubectl apply: compile without --k8s-manifest to upload it")
    if NO_IMAGE in {executor.container.image for executor in spec.executors.values()}:
        raise ValueError(f"{path} names no images, and runs on no cluster: compile it after bash images/build.sh")


def version_name(path: Path, commit: str) -> str:
    """Of a compiled pipeline: the commit that it was compiled at, if there is one, and a digest of its content."""
    content = json.dumps(documents(path), sort_keys=True)  # without comments and their order, which vary
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    return f"{commit}-{digest}" if commit else digest


def upload(client: Client, path: Path, name: str) -> bool:
    """Make a compiled pipeline a version on the cluster: whether it was not there before."""
    pipeline = _pipeline(client)
    if pipeline is None:
        described = kfp_server_api.V2beta1Pipeline(
            name=PIPELINE, display_name=PIPELINE, description="A world model, and a policy that learns in its dream."
        )
        pipeline = client.pipelines.pipeline_service_create_pipeline(pipeline=described).pipeline_id
    if name in {version.display_name for version in _versions(client, pipeline)}:
        return False
    client.pipeline_uploads.upload_pipeline_version(str(path), name=name, pipelineid=pipeline)
    return True


def find_version(client: Client, name: str | None) -> Version:
    """The version of this name, by default the newest.

    Raises:
        ValueError: there is none, the nearest is named.
    """
    pipeline = _pipeline(client)
    versions = _versions(client, pipeline) if pipeline else []
    if not versions:
        raise ValueError(f"the cluster has no pipeline {PIPELINE!r} yet: python -m pipelines.submit upload")
    if name is None:
        return versions[0]
    for version in versions:
        if version.display_name == name:
            return version
    known = [version.display_name for version in versions]
    raise ValueError(
        f"there is no version {name!r} of the pipeline, the nearest of {len(known)} is {nearest(name, known)!r} and "
        f"the newest {known[0]!r}"
    )


def plain_spec(answer: dict[str, Any] | None) -> dict[str, Any]:
    """The pipeline's spec of a run or a version; platform settings may stand beside it. {} if the cluster told none."""
    return (answer or {}).get("pipeline_spec", answer or {})


def _pipeline(client: Client) -> str | None:
    return client.get_pipeline_id(PIPELINE)


def _versions(client: Client, pipeline: str) -> list[Version]:
    """The newest first."""
    found = pages(client.list_pipeline_versions, pipeline)
    return [version for page in found for version in page.pipeline_versions or []]
