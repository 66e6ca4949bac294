"""`run.json`: what a run is doing and has done, for people and programs, rewritten whole after every change."""

import json
import math
from dataclasses import dataclass, field
from datetime import datetime
from types import GenericAlias
from typing import Any, get_origin

from components import storage

SCHEMA = 1
FILE = "run.json"


@dataclass
class TaskRecord:
    """One execution of one task. States: RUNNING, SUCCEEDED, FAILED, SKIPPED, CANCELLED."""

    name: str
    execution: str  # "0", or the iteration path inside loops: "3", "3-1"
    state: str = "RUNNING"
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    cached_from: str | None = None  # the id of the run whose outputs were taken
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, dict[str, str]] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass
class RunRecord:
    """A run. States: RUNNING, SUCCEEDED, FAILED, CANCELLED; `started` in ISO 8601, times in seconds."""

    pipeline: str
    run_id: str
    state: str
    started: str
    seconds: float
    threads: int
    parameters: dict[str, Any]
    attempt: int = 0  # the number of the process that wrote it, of those that have been at the run; 0 if it had none
    tasks: list[TaskRecord] = field(default_factory=list)

    def task(self, name: str, execution: str) -> TaskRecord:
        """The record of this execution, a new one unless it has been tried before."""
        for task in self.tasks:
            if (task.name, task.execution) == (name, execution):
                return task
        self.tasks.append(TaskRecord(name, execution))
        return self.tasks[-1]

    def write(self, run: str, *, new: bool = False) -> None:
        """Write `run.json` into the run at a URI, a line a task. Raises a FileExistsError if it was to be `new`."""
        text = json.dumps({"schema": SCHEMA, **vars(self), "tasks": []}).removesuffix("[]}")
        tasks = ",\n".join(json.dumps(vars(task)) for task in self.tasks)
        storage.write_text(storage.join(run, FILE), f"{text}[\n{tasks}\n]}}\n", new=new)


def read_record(run: str) -> RunRecord | None:
    """The record of the run at a URI, None if there is none.

    Raises:
        ValueError: its `run.json` is not one, or one of another version.
    """
    place = storage.join(run, FILE)
    text = storage.read_text(place)
    if text is None:
        return None
    try:
        facts = json.loads(text)
        schema, tasks = facts.pop("schema"), facts.pop("tasks")
        if schema != SCHEMA:
            raise TypeError(f"it has schema {schema!r}, and this version reads {SCHEMA}")
        record = RunRecord(**facts, tasks=[TaskRecord(**task) for task in tasks])
        _check(record)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{place} is not the record of a run, or is damaged: {error}") from error
    return record


def _check(record: RunRecord) -> None:
    """Raises a TypeError for the first value that is of another type than its field."""
    for part in (record, *record.tasks):
        for name, kind in type(part).__annotations__.items():
            plain: Any = float | int if kind is float else get_origin(kind) if isinstance(kind, GenericAlias) else kind
            if not isinstance(getattr(part, name), plain):
                raise TypeError(f"{name} is {getattr(part, name)!r:.80}")
    if not datetime.fromisoformat(record.started).tzinfo:
        raise TypeError(f"started is {record.started!r}")
    for artifact in (artifact for task in record.tasks for artifact in task.artifacts.values()):
        if not isinstance(artifact["uri"], str):
            raise TypeError(f"the uri of an artifact is {artifact['uri']!r:.80}")


def finite(value: Any) -> Any:
    """Plain data with null for the numbers that JSON has no word for: NaN and the infinities."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return value
