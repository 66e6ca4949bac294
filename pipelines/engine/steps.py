"""One step: a component's function run by the class that runs it in the container, or an artifact imported."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from kfp.dsl.executor import Executor
from kfp.dsl.types import artifact_types
from kfp.pipeline_spec.pipeline_spec_pb2 import ParameterType, TaskConfigPassthroughType

from components import storage
from pipelines.engine.contents import Contents
from pipelines.engine.functions import Function, loaded, shipped_function
from pipelines.engine.parameters import cast, constant
from pipelines.engine.values import Artifact, Fill, Values

Step = Callable[[], Values]

_TASK_CONFIG = TaskConfigPassthroughType.TaskConfigPassthroughTypeEnum


def prepare(
    component: Any, name: str, executor: Any, inputs: Values, place: str, contents: Contents, fill: Fill, threads: int
) -> Step:
    """What is to be called to run a component once.

    Args:
        component: the ComponentSpec, called `name` in tracebacks and messages.
        executor: its ExecutorSpec.
        place: the URI below which the outputs go, one entry each; only the parents that the outputs need are made.
        contents: of the inputs, as far as they are known.
        fill: replaces the placeholders in what the executor says.
        threads: of the step's numeric libraries.

    Raises:
        ValueError: one sentence, why it cannot be run in this process.
    """
    kind = executor.WhichOneof("spec")
    if kind == "container":
        function = shipped_function(executor.container, name)
        return partial(_run, function, component, executor.container, inputs, place, contents, fill, threads)
    if kind == "importer":
        imported = _import(component, executor.importer, inputs, fill)
        return lambda: imported
    raise ValueError(f"component {name!r} has an executor of kind {kind!r} and needs a cluster")


def environment_of(container: Any, inputs: Values, fill: Fill) -> dict[str, str]:
    """The variables that a PipelineContainerSpec asks for."""
    return {variable.name: fill(variable.value, inputs.parameters) for variable in container.env}


def _run(
    function: Function,
    component: Any,
    container: Any,
    inputs: Values,
    place: str,
    contents: Contents,
    fill: Fill,
    threads: int,
) -> Values:
    """Run a function by the class that runs it in the container, and read its outputs. Raises what it raises.

    As Kubeflow's launcher does, what is not local is fetched before. What the function is given is its own to change.
    """
    folder = storage.local(place, contents.scratch)
    passed_on = {item.field: item.apply_to_task for item in component.task_config_passthroughs}
    environment = environment_of(container, inputs, fill)
    config = fill(_task_config(container, environment, set(passed_on)), inputs.parameters)
    if not passed_on.get(_TASK_CONFIG.ENV, True):
        environment = {}
    parameters = dict(inputs.parameters)
    for parameter, definition in component.input_definitions.parameters.items():
        if definition.parameter_type == ParameterType.TASK_CONFIG:
            parameters[parameter] = config

    outputs = component.output_definitions
    executor_input = {
        "inputs": {
            "parameterValues": parameters,
            "artifacts": {key: {"artifacts": artifacts} for key, artifacts in inputs.artifacts.items()},
        },
        "outputs": {
            "parameters": {key: {"outputFile": str(folder / key)} for key in outputs.parameters},
            "artifacts": {
                key: {"artifacts": [_artifact(key, definition.artifact_type, storage.join(place, key))]}
                for key, definition in outputs.artifacts.items()
            },
            "outputFile": str(folder / "executor_output.json"),
        },
    }
    contents.fetch([artifact for artifacts in inputs.artifacts.values() for artifact in artifacts])
    with _process_of_its_own(environment, threads, contents.scratch), loaded(function) as call:
        try:
            Executor(executor_input=json.loads(json.dumps(executor_input)), function_to_execute=call).execute()
        except SystemExit as stop:
            if stop.code not in (None, 0):
                raise RuntimeError(f"the step exited with {stop.code!r}") from stop
    return _read_outputs(component, folder, contents.scratch)


def _import(component: Any, importer: Any, inputs: Values, fill: Fill) -> Values:
    """An ImporterSpec's artifact: a local file or folder where it lies, anything else by its URI, unread.

    Raises:
        ValueError: the local file does not exist.
    """
    source = importer.artifact_uri
    uri = inputs.parameters[source.runtime_parameter] if source.runtime_parameter else constant(source.constant)
    scheme, _, rest = uri.partition("://")
    if scheme == "file" or not rest:
        uri = str(Path(url2pathname(urlparse(uri).path) if rest else uri).absolute())
        if not Path(uri).exists():
            raise ValueError(f"the artifact to import, {uri}, does not exist")
    ((key, _),) = component.output_definitions.artifacts.items()
    artifact = _artifact(key, importer.type_schema, uri)
    artifact["metadata"] = fill(constant(importer.metadata), inputs.parameters)
    return Values(artifacts={key: [artifact]})


@contextmanager
def _process_of_its_own(environment: Mapping[str, str], threads: int, scratch: Path) -> Iterator[None]:
    """What a container would give a step: environment variables, import path, working directory, number of threads.

    And a place where buckets seem to be mounted, at `/gcs` in a container and at `gcs` below `scratch` here.

    Random states are left alone: a step that wants a seed sets it, and others shall not repeat each other's draws.
    """
    variables, path, folder = dict(os.environ), sys.path.copy(), Path.cwd()
    os.environ.update({"OMP_NUM_THREADS": str(threads), **environment})
    if "torch" in sys.modules:  # otherwise the variable sets them, at the import
        sys.modules["torch"].set_num_threads(threads)
    mounted = artifact_types._GCS_LOCAL_MOUNT_PREFIX
    artifact_types._GCS_LOCAL_MOUNT_PREFIX = f"{scratch}{mounted}"
    try:
        yield
    finally:
        for added in os.environ.keys() - variables.keys():
            del os.environ[added]
        os.environ.update(variables)
        sys.path[:] = path
        os.chdir(folder)
        artifact_types._GCS_LOCAL_MOUNT_PREFIX = mounted


def _artifact(name: str, schema: Any, uri: str) -> Artifact:
    kind = {"schemaTitle": schema.schema_title, "schemaVersion": schema.schema_version}
    return {"name": name, "type": kind, "uri": uri, "metadata": {}}


def _read_outputs(component: Any, folder: Path, scratch: Path) -> Values:
    """What KFP's executor wrote down of a step, and the parameters that the step itself wrote to an OutputPath."""
    report = folder / "executor_output.json"
    written = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    parameters = {}
    for name, definition in sorted(component.output_definitions.parameters.items()):
        file = folder / name
        if name in written.get("parameterValues", {}):
            parameters[name] = cast(written["parameterValues"][name], definition.parameter_type, name)
        elif file.is_file():
            parameters[name] = cast(file.read_text(encoding="utf-8"), definition.parameter_type, name)
    artifacts = {}
    for name, definition in sorted(component.output_definitions.artifacts.items()):
        for made in written.get("artifacts", {}).get(name, {}).get("artifacts", []):
            artifact = _artifact(made["name"] or name, definition.artifact_type, made["uri"])
            artifacts[name] = [artifact | {"metadata": made["metadata"]}]
            _move_in(made.get("custom_path"), made["uri"], scratch)
    return Values(parameters, artifacts)


def _move_in(custom_path: str | None, uri: str, scratch: Path) -> None:
    """Copy what a step wrote to a path of its choice (`Artifact.set_path`) to its place, as KFP's launcher does."""
    if not custom_path or not Path(custom_path).exists() or urlparse(uri).scheme not in ("", "gs"):
        return
    destination = storage.local(uri, scratch)
    destination.parent.mkdir(parents=True, exist_ok=True)
    if Path(custom_path).is_dir():
        shutil.copytree(custom_path, destination, dirs_exist_ok=True)
    else:
        shutil.copy2(custom_path, destination)


def _task_config(container: Any, environment: Mapping[str, str], fields: set[int]) -> dict[str, Any]:
    """What a `dsl.TaskConfig` input is told of its container: those of resources and variables that it asks for."""
    asked = container.resources
    config: dict[str, Any] = {}
    if _TASK_CONFIG.RESOURCES in fields:
        limits = {"cpu": asked.resource_cpu_limit, "memory": asked.resource_memory_limit}
        limits[asked.accelerator.resource_type] = asked.accelerator.resource_count
        requests = {"cpu": asked.resource_cpu_request, "memory": asked.resource_memory_request}
        config["resources"] = {
            kind: {name: amount for name, amount in amounts.items() if name and amount}
            for kind, amounts in (("limits", limits), ("requests", requests))
        }
    if _TASK_CONFIG.ENV in fields:
        config["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    return config
