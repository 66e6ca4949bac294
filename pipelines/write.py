"""The pipeline as a file: compiled by kfp, and checked before it is there."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import ParseDict, ParseError
from kfp.compiler import Compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines.build import BuildConfig, build_pipeline


def write_pipeline(path: Path, config: BuildConfig, *, manifest: bool = False) -> None:
    """Compile the pipeline into a YAML file, which appears when it is whole and valid.

    Args:
        manifest: as Kubernetes objects, a Pipeline and a PipelineVersion, whose name says what it holds.

    Raises:
        ValueError: the path is not a YAML file's, or cannot be written.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(f"a pipeline's file ends in .yaml, got {path}")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            compiled = Path(folder) / "pipeline.yaml"
            pipeline = build_pipeline(config)
            Compiler().compile(pipeline, str(compiled))
            validate(compiled)
            if manifest:
                content = json.dumps(documents(compiled), sort_keys=True)
                options = KubernetesManifestOptions(
                    pipeline_version_name=f"{pipeline.name}-{hashlib.sha256(content.encode()).hexdigest()[:10]}",
                    namespace="kubeflow",
                    include_pipeline_manifest=True,
                )
                options.pipeline_name = pipeline.name
                Compiler().compile(
                    pipeline, str(compiled), kubernetes_manifest_format=True, kubernetes_manifest_options=options
                )
            compiled.replace(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error


def validate(path: Path) -> None:
    """Raise ValueError for a field that KFP's messages do not have; its backend would pass over it in silence."""
    spec, *platform = documents(path)
    if platform:  # whose module brings all of kubernetes
        from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
    try:
        ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        for executor in spec["deploymentSpec"]["executors"].values():
            ParseDict(executor, pipeline_spec_pb2.PipelineDeploymentConfig.ExecutorSpec())
        for document in platform:
            ParseDict(document, pipeline_spec_pb2.PlatformSpec())
            for executor in document["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
                ParseDict(executor, KubernetesExecutorConfig())
    except ParseError as error:
        raise ValueError(f"the compiled pipeline is not valid: {error}") from error


def documents(path: Path) -> list[dict[str, Any]]:
    """Those of a compiled pipeline: its spec and, where it asks anything of a platform, that."""
    found = yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return [document for document in found if isinstance(document, dict)]  # a file may end in ---
