"""The walk over the DAGs of a compiled pipeline, upstream first, and what is written down of it."""

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineTaskSpec

from components import storage
from components.fingerprint import Code
from pipelines.engine import attempts, placeholders, values
from pipelines.engine.conditions import holds
from pipelines.engine.functions import shipped_function
from pipelines.engine.outcomes import Identity, differences, identity
from pipelines.engine.record import RunRecord, TaskRecord, finite
from pipelines.engine.reuse import Reuse, words
from pipelines.engine.spec import Spec, TaskPath, task_order, upstream
from pipelines.engine.steps import environment_of, prepare
from pipelines.engine.values import Fill, Finished, Values

Iteration = tuple[int, ...]  # the index in each loop around a task, the outermost first

_RUNS_AFTER_FAILURES = PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED


class TaskFailed(Exception):
    """A task failed, and with it the run; the message is one line.

    `__cause__` is what the step raised, with a traceback that begins at the component's own lines, or None if the step
    could not be started.
    """

    def __init__(self, task: str, execution: str, reason: str):
        self.task, self.execution, self.reason = task, execution, reason
        iteration = "" if execution == "0" else f" (iteration {execution})"
        super().__init__(f"task {task!r}{iteration} failed: {reason}")


@dataclass
class Walk:
    """The walk over the DAGs of one run, and what it needs at every task."""

    spec: Spec
    root: str
    uri: str
    record: RunRecord
    reuse: Reuse
    code: Code  # as it was when the run began
    reached: Mapping[str, Mapping[str, str]]  # of it, by executor label
    on_change: Callable[[RunRecord], None]
    began: float  # on the clock of time.perf_counter

    def dag(self, component: Any, inputs: Values, path: TaskPath, iteration: Iteration) -> Finished:
        """Run a DAG's tasks."""
        finished: dict[str, Finished] = {}
        for name in task_order(component.dag):
            finished[name] = self.task(component.dag.tasks[name], inputs, finished, (*path, name), iteration)
        return _together(finished.values(), values.dag_outputs(component, finished))

    def task(
        self, task: Any, dag_inputs: Values, finished: Mapping[str, Finished], path: TaskPath, iteration: Iteration
    ) -> Finished:
        """Run a task of a DAG, once an item if it is a loop, unless something upstream of it has not succeeded."""
        may_fail = task.trigger_policy.strategy == _RUNS_AFTER_FAILURES
        # What runs after failures, as an exit handler, runs again after what has run again.
        anew = may_fail and any(finished[name].ran for name in upstream(task))
        if not may_fail and any(finished[name].state != "SUCCEEDED" for name in upstream(task)):
            return self.skip(task, path, iteration)
        loop = bool(task.WhichOneof("iterator"))
        fill = self.filler(path, iteration)
        try:
            inputs = values.task_inputs(task, dag_inputs, finished, self.resource_name, fill)
            each = values.loop_inputs(task, inputs, fill) if loop else [inputs]
        except ValueError as error:
            return self.fail(path, iteration, str(error))
        if not loop:
            return self.once(task, inputs, path, iteration, anew)
        ended = [self.once(task, item, path, (*iteration, index), anew) for index, item in enumerate(each)]
        return _together(ended, values.collect(self.spec.component(task), [one.outputs for one in ended]))

    def once(self, task: Any, inputs: Values, path: TaskPath, iteration: Iteration, anew: bool) -> Finished:
        """Run a task on its inputs unless its condition says no, and again when it fails and has a retry policy."""
        component = self.spec.component(task)
        try:
            inputs = values.complete(inputs, component, self.filler(path, iteration))
            absent = dict.fromkeys(component.input_definitions.parameters)
            condition = task.trigger_policy.condition
            if condition and not holds(condition, absent | inputs.parameters):
                return self.skip(task, path, iteration)
        except ValueError as error:
            return self.fail(path, iteration, str(error))
        run = self.dag if component.HasField("dag") else partial(self.leaf, anew=anew)
        attempt = partial(run, component, inputs, path, iteration)
        policy, began = task.retry_policy, time.perf_counter()
        for retry in range(policy.max_retry_count):
            finished = attempt()
            if finished.state != "FAILED":
                return finished
            pause = (policy.backoff_duration.ToTimedelta() * policy.backoff_factor**retry).total_seconds()
            longest = policy.backoff_max_duration.ToTimedelta().total_seconds()  # of all tries, as in the cluster
            if time.perf_counter() - began + pause > longest:
                return finished
            time.sleep(pause)
        return attempt()

    def leaf(self, component: Any, inputs: Values, path: TaskPath, iteration: Iteration, *, anew: bool) -> Finished:
        """Run a component that is no DAG, unless its outcome is there already, and write down how it went."""
        name, execution = self.spec.task_names[path], _execution(iteration)
        task = self.record.task(name, execution)
        task.state, task.error, task.cached_from, task.artifacts, task.metrics = "RUNNING", None, None, {}, {}
        declared = component.input_definitions.parameters
        task.parameters = {key: finite(value) for key, value in inputs.parameters.items() if key in declared}
        executor, fill = self.spec.executors[component.executor_label], self.filler(path, iteration)
        place, contents = self.reuse.place(name, execution), self.reuse.contents
        try:
            step = prepare(component, path[-1], executor, inputs, place, contents, fill, self.record.threads)
            depends = self.identity(component, inputs, fill)
            shared = self.spec.may_be_taken(path) and contents.know(inputs)
        except ValueError as error:
            return self.fail(path, iteration, str(error))
        try:
            outputs = self.taken(task, depends, shared, anew) if depends else None
            ran = outputs is None
            if outputs is None:
                task.cached_from = None
                self.changed()
                storage.remove(place)  # what a failed attempt has left
                if depends:
                    self.reuse.begins(name, execution, depends)
                with _timed(task):
                    outputs = step()
                    attempts.require_last(self.uri, self.record.attempt)  # before the outcome is there for others
                    contents.publish(outputs, place)
                if depends and not self.edited(component, f"{name}/{execution}"):
                    self.reuse.ended(name, execution, depends, outputs, shared)
        except Exception as error:
            return self.fail(path, iteration, _last_line(error), error)
        for key, (artifact, *_) in outputs.artifacts.items():
            kind = artifact["type"]["schemaTitle"]
            task.artifacts[key] = {"type": kind, "uri": artifact["uri"]}
            if kind == "system.Metrics":
                task.metrics |= finite(artifact["metadata"])
        task.state = "SUCCEEDED"
        self.changed()
        return Finished("SUCCEEDED", outputs, ran=ran)

    def identity(self, component: Any, inputs: Values, fill: Fill) -> Identity | None:
        """What a step depends on; None for an importer, which is no step but says where something lies."""
        code = self.reached.get(component.executor_label)
        if code is None:
            return None
        environment = environment_of(self.spec.executors[component.executor_label].container, inputs, fill)
        return identity(code, component, environment, inputs, self.reuse.contents, self.record.threads)

    def edited(self, component: Any, step: str) -> bool:
        """Whether the code of a step that has run is no longer what it was when the run began; then this is told.

        A step imports what it needs when it begins, and it may have begun with the one or the other.
        """
        if self.code.is_still():
            return False
        label = component.executor_label
        now = Code().reached(shipped_function(self.spec.executors[label].container, label).source)
        names = differences(now, dict(self.reached[label]))
        if names:
            self.reuse.tell(f"{step}: no run will take what it has put out, for meanwhile was edited: {words(names)}")
        return bool(names)

    def taken(self, task: TaskRecord, identity: Identity, shared: bool, anew: bool) -> Values | None:
        """What a step would put out, if this run, unless it is to run `anew`, or, when it may be `shared`, another one
        has it."""

        def claim(run: str) -> None:
            task.cached_from = run
            self.changed()

        outcome = self.reuse.own(task.name, task.execution, identity, anew=anew)
        if outcome and outcome.run != self.record.run_id:
            task.cached_from = outcome.run
        if outcome is None and shared:
            outcome = self.reuse.others(task.name, task.execution, identity, claim)
        return outcome.outputs if outcome else None

    def skip(self, task: Any, path: TaskPath, iteration: Iteration) -> Finished:
        for leaf in self.spec.leaves(task, path):
            self.record.task(self.spec.task_names[leaf], _execution(iteration)).state = "SKIPPED"
        self.changed()
        return Finished("SKIPPED")

    def fail(self, path: TaskPath, iteration: Iteration, reason: str, cause: Exception | None = None) -> Finished:
        name, execution = self.spec.task_names[path], _execution(iteration)
        task = self.record.task(name, execution)
        task.state, task.error = "FAILED", reason
        self.changed()
        failure = TaskFailed(name, execution, reason)
        failure.__cause__ = cause.with_traceback(_own_lines(cause.__traceback__)) if cause else None
        return Finished("FAILED", error=failure, ran=True)

    def changed(self) -> None:
        attempts.require_last(self.uri, self.record.attempt)
        self.record.seconds = time.perf_counter() - self.began
        self.record.write(self.uri)
        self.on_change(self.record)

    def stopped(self, state: str) -> None:
        self.record.state = state
        for task in self.record.tasks:
            if task.state == "RUNNING":
                task.state = state
        self.changed()

    @property
    def resource_name(self) -> str:
        return f"{self.spec.name}-{self.record.run_id}"

    def filler(self, path: TaskPath, iteration: Iteration) -> Fill:
        """Replaces placeholders by what they stand for at one task."""
        return partial(placeholders.fill, known=lambda name: self.placeholder(name, path, iteration))

    def placeholder(self, name: str, path: TaskPath, iteration: Iteration) -> str | None:
        match name:
            case "pipeline_job_name" | "pipeline_job_uuid":
                return self.record.run_id
            case "pipeline_job_resource_name":
                return self.resource_name
            case "pipeline_job_create_time_utc" | "pipeline_job_schedule_time_utc":
                return self.record.started
            case "pipeline_task_name":
                return path[-1]
            case "pipeline_task_uuid":
                place = f"{self.resource_name}/{self.spec.task_names[path]}/{_execution(iteration)}"
                return str(uuid.uuid5(uuid.NAMESPACE_URL, place))
            case "pipeline_root":
                return self.root
            case "workspace_path":
                workspace = storage.local(storage.join(self.uri, "kfp-workspace"), self.reuse.contents.scratch)
                workspace.mkdir(parents=True, exist_ok=True)
                return str(workspace)
        return None


def _together(parts: Collection[Finished], outputs: Values) -> Finished:
    """A DAG or a loop has failed when a part of it has, with the first part's error."""
    failed, ran = [part for part in parts if part.state == "FAILED"], any(part.ran for part in parts)
    return Finished("FAILED", outputs, failed[0].error, ran) if failed else Finished("SUCCEEDED", outputs, ran=ran)


def _execution(iteration: Iteration) -> str:
    return "-".join(map(str, iteration)) or "0"


@contextmanager
def _timed(task: TaskRecord) -> Iterator[None]:
    """Adds what the block takes to the task's times; a retried task's add up."""
    began, cpu_began = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        task.seconds += time.perf_counter() - began
        task.cpu_seconds += time.process_time() - cpu_began


def _last_line(error: Exception) -> str:
    """An exception as Python prints it at the end of a traceback, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")


def _own_lines(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the component's source on; all of it if the error is not from there."""
    frame = traceback
    while frame and not frame.tb_frame.f_code.co_filename.startswith("<component "):
        frame = frame.tb_next
    return frame or traceback
