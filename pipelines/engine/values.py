"""What flows between tasks: where the inputs of a task come from, and what a DAG or a loop hands on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kfp.pipeline_spec.pipeline_spec_pb2 import ParameterType

from pipelines.engine.conditions import select
from pipelines.engine.parameters import cast, constant

Artifact = dict[str, Any]  # as KFP's executor reads it: name, type, uri, metadata
# replaces the placeholders in data out of the spec, given the parameters that they may name
Fill = Callable[[Any, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Values:
    """Named parameters, and named lists of artifacts (of one, mostly). What has no value is absent."""

    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[Artifact]] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """How a task ended: SUCCEEDED, FAILED (then with the error) or SKIPPED, what it put out, and whether any of it ran
    in this process, or all was there."""

    state: str
    outputs: Values = field(default_factory=Values)
    error: Exception | None = None
    ran: bool = False


def task_inputs(task: Any, dag_inputs: Values, finished: Mapping[str, Finished], run_name: str, fill: Fill) -> Values:
    """What a PipelineTaskSpec is given: of its DAG's inputs, by the tasks `finished` before it, and as constants."""
    parameters: dict[str, Any] = {}
    constants: dict[str, Any] = {}
    for name, source in sorted(task.inputs.parameters.items()):
        match source.WhichOneof("kind"):
            case "component_input_parameter":
                value = dag_inputs.parameters.get(source.component_input_parameter)
            case "task_output_parameter":
                producer = source.task_output_parameter
                value = finished[producer.producer_task].outputs.parameters.get(producer.output_parameter_key)
            case "task_final_status":
                producer_task = source.task_final_status.producer_task
                value = _final_status(finished[producer_task], producer_task, run_name)
            case _:
                constants[name] = constant(source.runtime_value.constant)
                continue
        selector = source.parameter_expression_selector
        if value is not None and selector and not _is_selected(source.component_input_parameter, selector):
            value = select(selector, value)
        parameters[name] = value
    parameters |= {name: fill(value, parameters) for name, value in constants.items()}

    artifacts: dict[str, list[Artifact] | None] = {}
    for name, artifact in sorted(task.inputs.artifacts.items()):
        if artifact.WhichOneof("kind") == "component_input_artifact":
            artifacts[name] = dag_inputs.artifacts.get(artifact.component_input_artifact)
        else:
            output = artifact.task_output_artifact
            artifacts[name] = finished[output.producer_task].outputs.artifacts.get(output.output_artifact_key)
    return Values(
        {name: value for name, value in parameters.items() if value is not None},
        {name: value for name, value in artifacts.items() if value is not None},
    )


def complete(inputs: Values, component: Any, fill: Fill) -> Values:
    """`inputs` in the types that the ComponentSpec declares, with its defaults for those that are absent.

    What is absent from a DAG's inputs may be optional to the tasks inside: only the others insist on theirs.

    Raises:
        ValueError: one that is not optional is absent, or a value is of another type.
    """
    insists = not component.HasField("dag")
    parameters = dict(inputs.parameters)
    for name, definition in sorted(component.input_definitions.parameters.items()):
        value = parameters.get(name)
        if value is None and definition.HasField("default_value"):
            value = fill(constant(definition.default_value), parameters)
        if value is None and definition.parameter_type == ParameterType.TASK_FINAL_STATUS:
            value = {}  # KFP's executor insists on a status, also where nothing came before
        if value is not None:
            parameters[name] = cast(value, definition.parameter_type, name)
        elif insists and not definition.is_optional:
            raise ValueError(f"its input {name!r} has no value: what makes it failed, was skipped or was not given")
    for name, artifact in sorted(component.input_definitions.artifacts.items()):
        if insists and name not in inputs.artifacts and not artifact.is_optional:
            raise ValueError(f"its input artifact {name!r} is missing: what makes it failed or was skipped")
    return Values(parameters, inputs.artifacts)


def dag_outputs(component: Any, finished: Mapping[str, Finished]) -> Values:
    """What a DAG hands on of its tasks' outputs; of several (OneOf) the one that exists.

    Not cast: the declared types are those after a loop's collection, not those of one iteration.
    """
    parameters: dict[str, Any] = {}
    for name, output in sorted(component.dag.outputs.parameters.items()):
        for selector in output.value_from_oneof.parameter_selectors or [output.value_from_parameter]:
            made = finished[selector.producer_subtask].outputs.parameters
            if selector.output_parameter_key in made:
                parameters[name] = made[selector.output_parameter_key]
                break
    artifacts: dict[str, list[Artifact]] = {}
    for name, choice in sorted(component.dag.outputs.artifacts.items()):
        for selector in choice.artifact_selectors:
            made_artifacts = finished[selector.producer_subtask].outputs.artifacts
            if selector.output_artifact_key in made_artifacts:
                artifacts[name] = made_artifacts[selector.output_artifact_key]
                break
    return Values(parameters, artifacts)


def collect(component: Any, iterations: Iterable[Values]) -> Values:
    """What a loop over `component` hands on: a list per output, in the order of the items, without what was skipped.

    Parameters of nested loops nest; artifacts are one flat list, the only one that KFP's components accept.
    """
    each = list(iterations)
    outputs = component.output_definitions
    return Values(
        {name: [made.parameters[name] for made in each if name in made.parameters] for name in outputs.parameters},
        {name: [artifact for made in each for artifact in made.artifacts.get(name, [])] for name in outputs.artifacts},
    )


def loop_inputs(task: Any, inputs: Values, fill: Fill) -> list[Values]:
    """The inputs of each iteration of a task that has an iterator: `inputs` and one item.

    Raises:
        ValueError: the items are no list.
    """
    if task.WhichOneof("iterator") == "artifact_iterator":
        name = task.artifact_iterator.item_input
        artifacts = inputs.artifacts.get(task.artifact_iterator.items.input_artifact, [])
        return [Values(inputs.parameters, {**inputs.artifacts, name: [artifact]}) for artifact in artifacts]
    name, items = task.parameter_iterator.item_input, task.parameter_iterator.items
    if items.WhichOneof("kind") == "raw":
        values = fill(cast(items.raw, ParameterType.LIST, "items"), inputs.parameters)
    else:
        values = cast(inputs.parameters.get(items.input_parameter), ParameterType.LIST, items.input_parameter)
    return [Values({**inputs.parameters, name: value}, inputs.artifacts) for value in values]


def _is_selected(name: str, selector: str) -> bool:
    """Whether the parameter `name` holds what `selector` selects: below conditions, KFP 2.15 names it twice."""
    return "-subvar-" in name and selector.endswith(f'["{name.rpartition("-subvar-")[2]}"]')


def _final_status(finished: Finished, producer_task: str, run_name: str) -> dict[str, Any]:
    """What a `PipelineTaskFinalStatus` input is told; an error's code is google.rpc's UNKNOWN."""
    error = {"error": {"code": 2, "message": str(finished.error)}} if finished.error else {}
    return {"state": finished.state, "pipelineJobResourceName": run_name, "pipelineTaskName": producer_task, **error}
