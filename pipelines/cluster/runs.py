"""Runs on a cluster: started, found, and told by their steps."""

import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from io import StringIO
from itertools import islice
from typing import Any, TypeAlias

import kfp_server_api
from kfp.client import Client
from kfp_server_api.exceptions import ApiException

from pipelines.cluster import PIPELINE
from pipelines.cluster.pages import PAGE, pages
from pipelines.cluster.versions import Version, plain_spec

ENDS = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
# What Kubeflow Pipelines lists beside the steps: its own pods and the nodes of its graph.
MACHINERY = re.compile(r"root|executor.*|.*-driver|for-loop-\d+|condition-.*|iteration-.*|exit-handler-.*")
DRIVER = "-driver"  # ends the name of the pod that prepares a step
WORDS = {"CANCELED": "cancelled", "CANCELING": "being cancelled", "RUNTIME_STATE_UNSPECIFIED": "unknown"}

Run: TypeAlias = kfp_server_api.V2beta1Run


@dataclass(frozen=True)
class Step:
    """A step of a run, or all steps of one name that a loop has made.

    Attributes:
        name: as in the pipeline.
        states: of each of them, as Kubeflow Pipelines calls them.
        began, ended: of the first and of the last, None for not yet.
    """

    name: str
    states: list[str]
    began: datetime | None
    ended: datetime | None


def start(client: Client, version: Version, parameters: dict[str, Any], root: str | None) -> Run:
    """A new run of a version; `root` is where it leaves what it makes, None for where its version says."""
    return client.runs.run_service_create_run(
        run=Run(
            experiment_id=experiment(client),
            display_name=f"{PIPELINE} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
            pipeline_version_reference=reference(version),
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=parameters, pipeline_root=root),
        )
    )


def experiment(client: Client) -> str:
    """The id of the experiment that holds our runs; it is made when it is first asked for."""
    with redirect_stdout(StringIO()):  # kfp prints a link, which leads nowhere through a port-forward
        return client.create_experiment(PIPELINE).experiment_id


def reference(version: Version) -> kfp_server_api.V2beta1PipelineVersionReference:
    return kfp_server_api.V2beta1PipelineVersionReference(
        pipeline_id=version.pipeline_id, pipeline_version_id=version.pipeline_version_id
    )


def newest(client: Client) -> Iterator[Run]:
    """All our runs, the newest first."""
    for page in pages(client.list_runs, experiment_id=experiment(client)):
        yield from page.runs or []


def find(client: Client, run_id: str | None) -> Run:
    """The run of this id, with its steps; by default the newest.

    Raises:
        ValueError: there is none; those that are like it are named, else the newest.
    """
    if run_id is None:
        for run in newest(client):
            return client.get_run(run.run_id)
        raise ValueError("there are no runs yet: python -m pipelines.submit run")
    try:
        return client.get_run(run_id)
    except ApiException as error:
        if error.status not in (400, 404):
            raise
    known = [run.run_id for run in islice(newest(client), PAGE)]
    like = [one for one in known if one.startswith(run_id)] or get_close_matches(run_id, known, 1)
    offer = f"the nearest is {like[0]}" if like else f"the newest is {known[0]}" if known else "there are none yet"
    raise ValueError(f"there is no run {run_id!r}: {offer}")


def latest_success(client: Client, started_by: list[str] | None) -> Run:
    """The newest run that succeeded: of all, or of those that recurring runs of these ids have started.

    Raises:
        ValueError: none has.
    """
    before: list[Run] = []
    for run in newest(client):
        if started_by is None or run.recurring_run_id in started_by:
            if run.state == "SUCCEEDED":
                return run
            before.append(run)
    newest_one = f": the newest, {before[0].run_id}, is {said(before[0].state)}" if before else ""
    raise ValueError(f"{'no run' if started_by is None else 'none of its runs'} has succeeded yet{newest_one}")


def root(client: Client, run: Run) -> str:
    """The URI below which a run leaves what it makes: its own root or, if it was given none, its version's.

    Raises:
        ValueError: neither says.
    """
    if run.runtime_config and run.runtime_config.pipeline_root:
        return run.runtime_config.pipeline_root
    used = run.pipeline_version_reference
    spec = run.pipeline_spec
    if used and not spec:
        spec = client.get_pipeline_version(used.pipeline_id, used.pipeline_version_id).pipeline_spec
    compiled = plain_spec(spec).get("defaultPipelineRoot")
    if not compiled:
        raise ValueError(f"neither the run {run.run_id} nor its version says where it lies: --root gs://bucket/prefix")
    return compiled


def steps(run: Run) -> list[Step]:
    """Its steps in the order in which they began, those of a loop as one."""
    tasks = _tasks(run)
    begun = sorted(tasks, key=lambda task: _time(task.start_time) or datetime.max.replace(tzinfo=UTC))
    named: dict[str, list[Any]] = {}
    for task in begun:
        if not MACHINERY.fullmatch(task.display_name) and not _is_workflow(task.display_name):
            named.setdefault(task.display_name, []).append(task)
    return [_step(name, same) for name, same in named.items()]


def failing_step(run: Run) -> str | None:
    """The name of the first step that failed; None if Kubeflow Pipelines names none."""
    for step in steps(run):
        if "FAILED" in step.states:
            return step.name
    drivers = [task for task in _tasks(run) if task.state == "FAILED" and task.display_name.endswith(DRIVER)]
    return drivers[0].display_name.removesuffix(DRIVER) if drivers else None


def said(state: str | None) -> str:
    """A state in words."""
    return WORDS.get(state, state.lower()) if state else "not begun"


def began(run: Run) -> datetime | None:
    return _time(run.created_at)


def ended(run: Run) -> datetime | None:
    return _time(run.finished_at)


def _step(name: str, tasks: list[Any]) -> Step:
    begins = [time for task in tasks if (time := _time(task.start_time))]
    ends = [time for task in tasks if (time := _time(task.end_time))]
    done = len(ends) == len(tasks)
    return Step(name, [task.state for task in tasks], min(begins, default=None), max(ends) if done else None)


def _tasks(run: Run) -> list[Any]:
    return (run.run_details.task_details if run.run_details else None) or []


def _is_workflow(name: str) -> bool:
    """Whether it is the node of the whole workflow, which is called dreamblock-x7k2p."""
    return bool(re.fullmatch(rf"{PIPELINE}-[a-z0-9]{{5}}", name))


def _time(time: datetime | None) -> datetime | None:
    """Kubeflow Pipelines writes the year 1, or 1970, for a time that has not come."""
    return time if time and time.year > 1970 else None
