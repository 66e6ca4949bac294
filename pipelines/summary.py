"""What a person is told of a run: its steps, the figures that matter, and where the films and the report lie."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from tabulate import tabulate

from components import storage
from pipelines.engine.housekeeping import Run
from pipelines.engine.record import RunRecord, TaskRecord
from viewer.quantities import with_interval

EVALUATION = "system.DreamblockEvaluation"  # `components.artifacts` has it too, but with all of kfp
PROMOTE = "promote"  # the step that says who is champion
FIGURES = ("dream_h5_px", "settled", "settle_ratio")  # of an evaluation, in the list of runs
HORIZONS = (1, 5, 10)
CONTROLLERS = ("policy", "oracle", "zero_force")
GOAL_FIGURES = (
    ("final_px_mean", "distance at the end, mean px", ""),
    ("settled", "settled", "%"),
    ("settle_frames_mean", "time to settle, mean frames", ""),
)


def announce(run: str, stream: TextIO) -> Callable[[RunRecord], None]:
    """Tells `stream` of the run at a URI and of each step that begins or ends; for `execute`'s `on_change`.

    Of what a resumed run has done before, only how much it is.
    """
    said: set[str] = set()

    def on_change(record: RunRecord) -> None:
        news = [_news(task) for task in record.tasks]
        if not said:
            done = sum(task.state == "SUCCEEDED" for task in record.tasks)
            said.update(news)
            news = [f"run: {run}", *([f"steps done before: {done} of {len(record.tasks)}"] if news else [])]
        for line in news:
            if line and line not in said:
                said.add(line)
                print(line, file=stream, flush=True)

    return on_change


def listing(runs: Iterable[Run], now: datetime | None = None) -> str:
    """A table of runs: state, size, age and figures."""
    now = now or datetime.now(UTC)
    rows = [
        (
            "/".join(run.uri.split("/")[-2:]),
            run.state.lower(),
            _age((now - datetime.fromisoformat(run.record.started)).total_seconds()) if run.record else "",
            _size(run.size),
            _figures(run.record) if run.record else "",
        )
        for run in runs
    ]
    return tabulate(
        rows, ("run", "state", "age", "size", "figures"), colalign=("left", "left", "right", "right", "left")
    )


def summary(record: RunRecord, run: str) -> str:
    """The run as text: a table of the steps and, of the evaluations among them, figures and paths."""
    parts = [_steps(record)]
    for uri in _evaluations(record):
        parts += _evaluation(uri)
    parts += _promotion(record)
    parts.append(f"run: {run}")
    return "\n\n".join(parts)


def _promotion(record: RunRecord) -> list[str]:
    """Of a run for a champion, whether it is that now and why, in a line."""
    if not record.parameters.get("champion"):  # another pipeline may have a step of that name
        return []
    done = [task for task in record.tasks if task.name == PROMOTE and task.state == "SUCCEEDED"]
    return [(storage.read_text(task.artifacts["verdict"]["uri"]) or "").strip() for task in done]


def reports(record: RunRecord) -> list[str]:
    """The URIs of the reports that a run's evaluations have made."""
    return [storage.join(uri, "report.html") for uri in _evaluations(record)]


def _news(task: TaskRecord) -> str:
    match task.state:
        case "RUNNING":
            return "" if task.cached_from else _place(task)
        case "SKIPPED":
            return f"{_place(task)}: skipped"
        case "SUCCEEDED" if task.cached_from:
            return f"{_place(task)}: taken from {task.cached_from}"
    return f"{_place(task)}: {task.state.lower()} after {task.seconds:.1f} s"


def _place(task: TaskRecord) -> str:
    """Where its outputs lie below the run's folder."""
    return f"{task.name}/{task.execution}"


def _steps(record: RunRecord) -> str:
    rows = [(_place(task), _state(task), task.seconds, task.cpu_seconds) for task in record.tasks]
    rows.append(("together", record.state.lower(), record.seconds, sum(task.cpu_seconds for task in record.tasks)))
    return tabulate(rows, ("step", "state", "seconds", "CPU seconds"), floatfmt=".1f")


def _state(task: TaskRecord) -> str:
    return f"from {task.cached_from}" if task.cached_from else task.state.lower()


def _figures(record: RunRecord) -> str:
    """The few figures of a run that say how good it is: of an evaluation those, of other pipelines the first."""
    metrics = {name: value for task in record.tasks for name, value in task.metrics.items()}
    shown = [name for name in FIGURES if name in metrics] or list(metrics)[: len(FIGURES)]
    return ", ".join(f"{name} {metrics[name]:.3g}" for name in shown if isinstance(metrics[name], int | float))


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"  # a clock may have been set back


def _size(size: int) -> str:
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} B"


def _evaluations(record: RunRecord) -> list[str]:
    artifacts = [artifact for task in record.tasks for artifact in task.artifacts.values()]
    return [artifact["uri"] for artifact in artifacts if artifact["type"] == EVALUATION]


def _evaluation(uri: str) -> list[str]:
    figures = json.loads(storage.read_text(storage.join(uri, "evaluation.json")) or "")
    dreams = [dream for dream in figures["dream"] if dream["set"] == "evaluation"]
    model, policy, report = (storage.join(uri, name) for name in ("model.gif", "policy.gif", "report.html"))
    links = [report] if "://" in report else [report, Path(report).as_uri()]
    return [
        _dreams(max(dreams, key=lambda dream: dream["context"])),
        _goals(figures["goal_reaching"]),
        f"In brackets: 95 % bootstrap intervals over {figures['episodes']} episodes.",
        f"films: {model}\n       {policy}\nreport: " + "\n        ".join(links),
    ]


def _dreams(dream: dict[str, Any]) -> str:
    places = {horizon: dream["horizon"].index(horizon) for horizon in HORIZONS if horizon in dream["horizon"]}
    error, copied = dream["centroid_error_px"]["mean"], dream["copy_last_px"]
    of_error, of_copied = dream["intervals"]["mean"], dream["intervals"]["copy_last_px"]
    rows = [
        ("dream", *(with_interval(error[place], of_error[place]) for place in places.values())),
        ("copy of the last frame", *(with_interval(copied[place], of_copied[place]) for place in places.values())),
    ]
    columns = (f"error after {dream['context']} observations, mean px", *(f"horizon {horizon}" for horizon in places))
    return tabulate(rows, columns)


def _goals(goals: dict[str, Any]) -> str:
    controllers = [goals["controllers"][name] for name in CONTROLLERS]
    rows = [
        (label, *(with_interval(figures[key], figures["intervals"][key], unit) for figures in controllers))
        for key, label, unit in GOAL_FIGURES
    ]
    ratio = with_interval(goals["settle_ratio"], goals["intervals"]["settle_ratio"])
    rows.append(("the same over the oracle's", ratio))
    return tabulate(rows, ("goal-reaching", *(name.replace("_", " ") for name in CONTROLLERS)))
