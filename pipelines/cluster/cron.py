"""Cron expressions as Kubeflow Pipelines takes them: six fields, seconds first; said in words, with the next times."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from cronsim import CronSim, CronSimError

FIELDS = {
    "second": "0 to 59",
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of the month": "1 to 31",
    "month": "1 to 12 or JAN to DEC",
    "day of the week": "0 to 6 or SUN to SAT",
}
# What the scheduler of Kubeflow Pipelines (robfig/cron 1) reads; it knows neither L, W and # nor Sunday as 7.
ITEM = r"(?:[*?]|(?:\d+|[A-Z]{3})(?:-(?:\d+|[A-Z]{3}))?)(?:/\d+)?"


@dataclass(frozen=True)
class Cron:
    """When a recurring run is started.

    Attributes:
        expression: six fields, seconds first.
        words: the same in English.
        next: the next three times, in UTC, of which there may be fewer.
    """

    expression: str
    words: str
    next: list[datetime]


def read_cron(text: str, now: datetime | None = None) -> Cron:
    """The schedule that five or six fields mean; five begin with the minute.

    Raises:
        ValueError: it is none, or it never fires.
    """
    fields = text.upper().split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != len(FIELDS):
        raise ValueError(
            f"a cron expression has five fields (minute, hour, day of the month, month, day of the week) or six "
            f"(a second before them), got {len(fields)} in {text!r}"
        )
    now = now or datetime.now(UTC)
    for place, (name, allowed) in enumerate(FIELDS.items()):
        _check(fields[place], place, name, allowed, now)
    expression = " ".join(fields)
    try:
        schedule = CronSim(expression.replace("?", "*"), now)
        times = list(islice(schedule, 3))
    except CronSimError:  # of fields that are right on their own: a month that has no such day
        times = []
    if not times:
        raise ValueError(f"the cron {text!r} never fires: no such month has such a day")
    return Cron(expression, schedule.explain(), times)


def _check(field: str, place: int, name: str, allowed: str, now: datetime) -> None:
    """Raise a ValueError that names the field, if it is not right on its own."""
    alone = ["*"] * len(FIELDS)
    alone[place] = field.replace("?", "*")
    readable = all(re.fullmatch(ITEM, item) for item in field.split(","))
    sunday = place == len(FIELDS) - 1 and "7" in re.split(r"[,-]|/\d+", field)
    try:
        CronSim(" ".join(alone), now)
    except CronSimError:
        readable = False
    if not readable or sunday:
        raise ValueError(
            f"the {name} of a cron expression is {allowed}, a list, a range or * (with /step), got {field!r}"
            + (": Sunday is 0" if sunday else "")
        )
