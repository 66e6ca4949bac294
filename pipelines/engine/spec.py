"""A compiled pipeline file, read and checked: everything that it refers to exists, and no task waits for itself."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import ParseDict, ParseError
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig, PipelineSpec

TaskPath = tuple[str, ...]  # the names of the tasks from the root down to one, itself included


@dataclass(frozen=True)
class Spec:
    """A compiled pipeline: KFP's PipelineSpec message, and the ExecutorSpec message of each executor label."""

    pipeline: Any
    executors: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.pipeline.pipeline_info.name

    @property
    def root(self) -> Any:
        return self.pipeline.root

    def component(self, task: Any) -> Any:
        """The ComponentSpec that `task`, a PipelineTaskSpec, runs."""
        return self.pipeline.components[task.component_ref.name]

    @cached_property
    def task_names(self) -> Mapping[TaskPath, str]:
        """One name a task, nested ones included: its own, or the dotted path to it where two tasks share theirs."""
        paths = list(self._paths(self.root, ()))
        own = Counter(path[-1] for path in paths)
        return {path: path[-1] if own[path[-1]] == 1 else ".".join(path) for path in paths}

    def may_be_taken(self, path: TaskPath) -> bool:
        """Whether the spec allows the outputs of the task at `path` to be another run's: no caching is switched off."""
        component, options = self.root, None
        for name in path:
            task = component.dag.tasks[name]
            component, options = self.component(task), task.caching_options
            if task.HasField("caching_options") and not options.enable_cache:
                return False
        return bool(options and options.enable_cache)

    def leaves(self, task: Any, path: TaskPath) -> Iterator[TaskPath]:
        """The paths of the tasks at or below `task` that run something: `task` itself, unless it is a DAG."""
        component = self.component(task)
        if not component.HasField("dag"):
            yield path
        for name in task_order(component.dag):
            yield from self.leaves(component.dag.tasks[name], (*path, name))

    def _paths(self, component: Any, path: TaskPath) -> Iterator[TaskPath]:
        for name in task_order(component.dag):
            yield (*path, name)
            yield from self._paths(self.component(component.dag.tasks[name]), (*path, name))


def task_order(dag: Any) -> list[str]:
    """The names of a DagSpec's tasks, upstream first; ties in the order of the file, which KFP sorts by name."""
    sorter = TopologicalSorter({name: upstream(task) for name, task in dag.tasks.items()})
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


def upstream(task: Any) -> set[str]:
    """The tasks of the same DAG that a PipelineTaskSpec waits for."""
    parameters, artifacts = task.inputs.parameters.values(), task.inputs.artifacts.values()
    producers = {source.task_output_parameter.producer_task for source in parameters}
    producers |= {source.task_final_status.producer_task for source in parameters}
    producers |= {source.task_output_artifact.producer_task for source in artifacts}
    return {*task.dependent_tasks, *producers} - {""}


def load_spec(path: str | Path) -> Spec:
    """Read a pipeline that KFP's compiler wrote: YAML or JSON, plain or as a Kubernetes manifest.

    Fields that the installed kfp does not know are ignored, as is the platform part (the file's second document).

    Raises:
        ValueError: one sentence on why `path` is not such a file.
    """
    content = _pipeline_document(Path(path))
    try:
        pipeline = ParseDict(content, PipelineSpec(), ignore_unknown_fields=True)
        executors = content.get("deploymentSpec", {})
        deployment = ParseDict(executors, PipelineDeploymentConfig(), ignore_unknown_fields=True)
        spec = Spec(pipeline, dict(deployment.executors.items()))
        _check(spec)
    except (ParseError, ValueError) as error:
        raise ValueError(f"{path} is not a valid compiled pipeline: {_one_line(error)}") from error
    return spec


def _pipeline_document(path: Path) -> dict[str, Any]:
    """The PipelineSpec of a file as plain data; the file's other documents (platform settings) are dropped."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"the pipeline file {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the pipeline file {path} cannot be read: {_one_line(error)}") from error
    try:
        documents = [part for part in yaml.load_all(text, Loader=yaml.CSafeLoader) if isinstance(part, dict)]
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML, or is truncated: {_one_line(error)}") from error
    manifests = [part.get("spec") for part in documents if part.get("kind") == "PipelineVersion"]
    for content in [*documents, *(spec.get("pipelineSpec") for spec in manifests if isinstance(spec, dict))]:
        if isinstance(content, dict) and "root" in content and "pipelineInfo" in content:
            if str(content.get("schemaVersion", "")).startswith("2.1"):
                return content
            raise ValueError(f"{path} is truncated or of another version: it has no schemaVersion 2.1")
    raise ValueError(f"{path} is {_foreign(documents)}")


def _foreign(documents: list[dict[str, Any]]) -> str:
    """What a YAML file is that is no compiled pipeline."""
    keys = {key for document in documents for key in document}
    if str(documents[0].get("apiVersion", "") if documents else "").startswith("argoproj.io"):
        return "an Argo workflow, as KFP v1 compiled to: compile the pipeline with kfp 2"
    if "pipelineSpec" in keys:
        return "a pipeline job of KFP v1: compile the pipeline with kfp 2"
    if "implementation" in keys:
        return "a component of KFP v1: load it with kfp.components and compile it with kfp 2"
    return "not a compiled pipeline, or truncated: it has no root and no pipelineInfo"


def _check(spec: Spec) -> None:
    """Raises a ValueError that names the first reference that leads nowhere, or round in a circle."""
    if not spec.name or "/" in spec.name or spec.name.startswith("."):
        raise ValueError(f"the pipeline's name must be usable as a folder's, got {spec.name!r}")
    if not spec.root.HasField("dag"):
        raise ValueError("its root has no tasks")
    components = dict(spec.pipeline.components.items())
    uses: dict[str, set[str]] = {}
    for owner, component in {"root": spec.root, **components}.items():
        if not component.HasField("dag") and component.executor_label not in spec.executors:
            raise ValueError(f"component {owner!r} has neither tasks nor an executor")
        tasks = component.dag.tasks
        for name, task in tasks.items():
            if task.component_ref.name not in components:
                raise ValueError(f"task {name!r} runs component {task.component_ref.name!r}, which does not exist")
            if unknown := upstream(task) - set(tasks):
                raise ValueError(f"task {name!r} waits for {sorted(unknown)[0]!r}, which is not in its DAG")
        uses[owner] = {task.component_ref.name for task in tasks.values()}
        _refuse_circle(f"the tasks of {owner!r}", {name: upstream(task) for name, task in tasks.items()})
    _refuse_circle("its components", uses)


def _refuse_circle(what: str, edges: Mapping[str, set[str]]) -> None:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        raise ValueError(f"{what} form a circle: {' -> '.join(error.args[1])}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
