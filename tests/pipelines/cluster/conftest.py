"""A stand-in for a cluster that keeps its memory for one test, and the command line as a person uses it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubeflow_stand_in import Kubeflow, kubeflow
from kubernetes.config import kube_config

from pipelines.compile import main as compile_pipeline
from pipelines.submit import main


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch) -> None:
    """No way to a cluster is known, whatever is set where the tests run."""
    names = ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_IAP_OAUTH2_CLIENT_ID", "KFP_TOKEN", "KUBERNETES_SERVICE_HOST")
    for name in names:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cluster(monkeypatch, tmp_path) -> Iterator[Kubeflow]:
    """An empty one, which the command line finds without being told; kubectl is set up for none."""
    with kubeflow() as stand_in:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", stand_in.url)
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))  # read at import
        yield stand_in


@pytest.fixture
def submit(capsys) -> Callable[..., tuple[int, str, str]]:
    """The command line in this process: exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def compiled(tmp_path_factory) -> Path:
    """Our pipeline for a cluster."""
    path = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    images = [f"registry.example/dreamblock-{kind}@sha256:{'a' * 64}" for kind in ("cpu", "gpu")]
    compile_pipeline(["-o", str(path), "--image-cpu", images[0], "--image-gpu", images[1]])
    return path


@pytest.fixture
def uploaded(cluster, submit, compiled) -> Kubeflow:
    """The cluster with a version of the pipeline."""
    code, _, errors = submit("upload", "--file", compiled)
    assert code == 0, errors
    return cluster
