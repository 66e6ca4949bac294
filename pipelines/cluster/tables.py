"""What a person is shown of a cluster: tables of runs, of steps, of recurring runs."""

import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

from tabulate import tabulate

from pipelines.cluster.cron import read_cron
from pipelines.cluster.recurring import ids
from pipelines.cluster.runs import Run, Step, began, ended, said, steps


def of_run(run: Run, now: datetime | None = None) -> str:
    """A run with its steps."""
    now = now or datetime.now(UTC)
    rows = [(_name(step), _states(step), _clock(step.began), _took(step.began, step.ended, now)) for step in steps(run)]
    parameters = (run.runtime_config.parameters if run.runtime_config else None) or {}
    shown = ", ".join(f"{name} {value}" for name, value in parameters.items()) or "as the version has them"
    head = f"run: {run.run_id}, {_state(run, now)}\nparameters: {shown}"
    table = tabulate(rows, ("step", "state", "began", "took"), colalign=("left", "left", "left", "right"))
    return f"{head}\n\n{table}" if rows else f"{head}\n\nno step has begun"


def of_runs(runs: Iterable[Run], recurring: Iterable[Any], now: datetime | None = None) -> str:
    """Runs and recurring runs, the newest first."""
    now = now or datetime.now(UTC)
    recurring = list(recurring)
    names = {one: found.display_name for found in recurring for one in ids(found)}
    rows = [
        (run.run_id, said(run.state), _clock(began(run)), _took(began(run), ended(run), now), _origin(run, names))
        for run in runs
    ]
    table = tabulate(rows, ("run", "state", "began", "took", "by"), colalign=("left", "left", "left", "right", "left"))
    return f"{table if rows else 'no runs'}\n\n{_recurring(recurring, now)}"


def watcher(stream: TextIO) -> Callable[[Run], None]:
    """Shows a run's steps on `stream`, and what changes: on a terminal in place, else by a line for each change."""
    return _in_place(stream) if stream.isatty() else _line_by_line(stream)


def _in_place(stream: TextIO) -> Callable[[Run], None]:
    height = 0

    def show(run: Run) -> None:
        nonlocal height
        text = of_run(run)
        up = f"\x1b[{height}F\x1b[J" if height else ""
        print(f"{up}{text}", file=stream, flush=True)
        columns = shutil.get_terminal_size().columns
        height = sum(max(1, -(-len(line) // columns)) for line in text.splitlines())

    return show


def _line_by_line(stream: TextIO) -> Callable[[Run], None]:
    said_before: set[str] = set()

    def show(run: Run) -> None:
        for step in steps(run):
            line = f"{_name(step)}: {_states(step)}"
            if line not in said_before:
                said_before.add(line)
                print(line, file=stream, flush=True)

    return show


def _recurring(found: list[Any], now: datetime) -> str:
    rows = [(one.display_name, str(one.status or "").lower(), *_schedule(one, now)) for one in found]
    return tabulate(rows, ("recurring run", "state", "when, in UTC", "next")) if rows else "no recurring runs"


def _schedule(recurring: Any, now: datetime) -> tuple[str, str]:
    """When it is started, in words, and the next time."""
    schedule = recurring.trigger.cron_schedule if recurring.trigger else None
    if not schedule:
        return "not by cron", ""
    try:
        cron = read_cron(schedule.cron, now)
    except ValueError:  # made in the UI, which has words that we don't read
        return schedule.cron, ""
    return cron.words, _clock(cron.next[0])


def _origin(run: Run, names: dict[str, str]) -> str:
    return names.get(run.recurring_run_id, "a former schedule") if run.recurring_run_id else "hand"


def _state(run: Run, now: datetime) -> str:
    if not run.created_at or not began(run):
        return said(run.state)
    took = _took(began(run), ended(run), now)
    return f"{said(run.state)} {'after' if ended(run) else 'for'} {took}, begun {_clock(began(run))} UTC"


def _name(step: Step) -> str:
    return step.name if len(step.states) == 1 else f"{step.name} × {len(step.states)}"


def _states(step: Step) -> str:
    """One state in a word, several with their numbers."""
    numbers = {state: step.states.count(state) for state in dict.fromkeys(step.states)}
    if len(numbers) == 1:
        return said(step.states[0])
    return ", ".join(f"{number} {said(state)}" for state, number in numbers.items())


def _clock(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def _took(begin: datetime | None, end: datetime | None, now: datetime) -> str:
    """How long from `begin` to `end`, or until now; "" if it has not begun."""
    if begin is None:
        return ""
    seconds = max(0, round(((end or now) - begin).total_seconds()))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds % 60:02} s" if minutes else f"{seconds} s"
