"""What a person is told of a run: its steps, the figures that matter, and where the films and the report lie."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from tabulate import tabulate

from components import artifacts
from pipelines.engine.record import RunRecord, TaskRecord

HORIZONS = (1, 5, 10)
CONTROLLERS = ("policy", "oracle", "zero_force")
GOAL_FIGURES = (
    ("final_px_mean", "distance at the end, mean px"),
    ("settled", "settled, share"),
    ("settle_frames_mean", "time to settle, mean frames"),
)


def announce(folder: Path, stream: TextIO) -> Callable[[RunRecord], None]:
    """Tells `stream` of the run in `folder` and of each step that begins or ends; for `execute`'s `on_change`."""
    said: set[str] = set()

    def on_change(record: RunRecord) -> None:
        for line in (f"run: {folder}", *map(_news, record.tasks)):
            if line not in said:
                said.add(line)
                print(line, file=stream, flush=True)

    return on_change


def summary(record: RunRecord, folder: Path) -> str:
    """The run as text: a table of the steps and, of the evaluations among them, figures and paths."""
    parts = [_steps(record)]
    for task in record.tasks:
        for artifact in task.artifacts.values():
            if artifact["type"] == artifacts.Evaluation.schema_title:
                parts += _evaluation(Path(artifact["uri"]))
    parts.append(f"run: {folder}")
    return "\n\n".join(parts)


def _news(task: TaskRecord) -> str:
    match task.state:
        case "RUNNING":
            return _place(task)
        case "SKIPPED":
            return f"{_place(task)}: skipped"
    return f"{_place(task)}: {task.state.lower()} after {task.seconds:.1f} s"


def _place(task: TaskRecord) -> str:
    """Where its outputs lie below the run's folder."""
    return f"{task.name}/{task.execution}"


def _steps(record: RunRecord) -> str:
    rows = [(_place(task), task.state.lower(), task.seconds, task.cpu_seconds) for task in record.tasks]
    rows.append(("together", record.state.lower(), record.seconds, sum(task.cpu_seconds for task in record.tasks)))
    return tabulate(rows, ("step", "state", "seconds", "CPU seconds"), floatfmt=".1f")


def _evaluation(folder: Path) -> list[str]:
    figures = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    dreams = [dream for dream in figures["dream"] if dream["set"] == "evaluation"]
    report = folder / "report.html"
    return [
        _dreams(max(dreams, key=lambda dream: dream["context"])),
        _goals(figures["goal_reaching"]),
        f"In brackets: 95 % bootstrap intervals over {figures['episodes']} episodes.",
        f"films: {folder / 'model.gif'}\n       {folder / 'policy.gif'}\nreport: {report}\n        {report.as_uri()}",
    ]


def _dreams(dream: dict[str, Any]) -> str:
    places = {horizon: dream["horizon"].index(horizon) for horizon in HORIZONS if horizon in dream["horizon"]}
    error, copied = dream["centroid_error_px"]["mean"], dream["copy_last_px"]
    of_error, of_copied = dream["intervals"]["mean"], dream["intervals"]["copy_last_px"]
    rows = [
        ("dream", *(_figure(error[place], of_error[place]) for place in places.values())),
        ("copy of the last frame", *(_figure(copied[place], of_copied[place]) for place in places.values())),
    ]
    columns = (f"error after {dream['context']} observations, mean px", *(f"horizon {horizon}" for horizon in places))
    return tabulate(rows, columns)


def _goals(goals: dict[str, Any]) -> str:
    controllers = [goals["controllers"][name] for name in CONTROLLERS]
    rows = [(label, *(_figure(c[key], c["intervals"][key]) for c in controllers)) for key, label in GOAL_FIGURES]
    ratio = _figure(goals["settle_ratio"], goals["intervals"]["settle_ratio"])
    rows.append(("the same over the oracle's", ratio))
    return tabulate(rows, ("goal-reaching", *(name.replace("_", " ") for name in CONTROLLERS)))


def _figure(value: float | None, interval: list[float] | None) -> str:
    """A figure with its interval, as far as they could be computed."""
    return "–" if value is None or interval is None else f"{value:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"
