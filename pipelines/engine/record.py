"""`run.json`: what a run is doing and has done, for people and programs, rewritten whole after every change."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = 1


@dataclass
class TaskRecord:
    """One execution of one task. States: RUNNING, SUCCEEDED, FAILED, SKIPPED, CANCELLED."""

    name: str
    execution: str  # "0", or the iteration path inside loops: "3", "3-1"
    state: str = "RUNNING"
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    cached_from: str | None = None
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
    tasks: list[TaskRecord] = field(default_factory=list)

    def task(self, name: str, execution: str) -> TaskRecord:
        """The record of this execution, a new one unless it has been tried before."""
        for task in self.tasks:
            if (task.name, task.execution) == (name, execution):
                return task
        self.tasks.append(TaskRecord(name, execution))
        return self.tasks[-1]

    def write(self, path: Path) -> None:
        """Replace the file at `path` by this record, a line a task; a reader sees the old or the new, never a part."""
        run = json.dumps({"schema": SCHEMA, **vars(self), "tasks": []}).removesuffix("[]}")
        tasks = ",\n".join(json.dumps(vars(task)) for task in self.tasks)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(f"{run}[\n{tasks}\n]}}\n", encoding="utf-8")
        temporary.replace(path)


def finite(value: Any) -> Any:
    """Plain data with null for the numbers that JSON has no word for: NaN and the infinities."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return value
