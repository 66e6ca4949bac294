"""Tables: figures and configurations as HTML for a person; figures with their 95 % intervals where they have them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from viewer.plots import dream_figure, dream_name

HORIZONS = (1, 5, 10, 25)  # the columns of the table of dreams
UNKNOWN = "–"

# Where a figure lies in an entry of "dream", what it is called, and its unit.
DREAM_FIGURES = (
    ("mean", "mean error", "px"),
    ("median", "median error", "px"),
    ("p95", "95th percentile", "px"),
    ("free_flight_px", "mean in free flight", "px"),
    ("wall_contact_px", "mean with wall contact", "px"),
    ("copy_last_px", "copy of the last frame", "px"),
    ("bayes_floor_px", "Bayes floor", "px"),
    ("original_px", "the original", "px"),
    ("precision_px", "precision", "px"),
    ("iou", "IoU", ""),
)
GOAL_FIGURES = (
    ("final_px_mean", "mean distance", "px"),
    ("final_px_median", "median distance", "px"),
    ("within_1px", "within 1 px", "%"),
    ("within_2px", "within 2 px", "%"),
    ("held_1px", "held within 1 px", "%"),
    ("held_2px", "held within 2 px", "%"),
    ("settled", "settled", "%"),
    ("settle_frames_mean", "frames to settle, mean", ""),
    ("settle_frames_median", "frames to settle, median", ""),
    ("settle_frames_p95", "frames to settle, 95th percentile", ""),
)


def dream_table(dream: Mapping) -> str:
    """The figures of one entry of "dream" at horizons 1, 5, 10 and 25, as far as it goes."""
    places = {h: dream["horizon"].index(h) for h in HORIZONS if h in dream["horizon"]}
    rows = ""
    for key, label, unit in DREAM_FIGURES:
        if key in dream or key in dream["centroid_error_px"]:
            values = dream_figure(dream, key)
            intervals = dream.get("intervals", {}).get(key) or [None] * len(values)
            rows += _row(label, unit, [values[i] for i in places.values()], [intervals[i] for i in places.values()])
    return _table(f"Dream, {dream_name(dream)}", ["horizon", *map(str, places)], rows)


def goal_table(goal_reaching: Mapping) -> str:
    """The controllers' figures, a column for each controller."""
    controllers = goal_reaching["controllers"]
    rows = ""
    for key, label, unit in GOAL_FIGURES:
        values = [figures[key] for figures in controllers.values()]
        intervals = [figures.get("intervals", {}).get(key) for figures in controllers.values()]
        rows += _row(label, unit, values, intervals)
    title = f"after {goal_reaching['timesteps']} timesteps"
    return _table("Goal-reaching", [title, *(name.replace("_", " ") for name in controllers)], rows)


def settings_table(settings: Mapping[str, Any]) -> str:
    """Names and values; a mapping within becomes names with dots."""
    rows = (f'<tr><th scope="row">{escape(name)}</th><td>{plain(value)}</td></tr>' for name, value in _flat(settings))
    return f'<table class="settings"><tbody>{"".join(rows)}</tbody></table>'


def plain(value: Any) -> str:
    """A value of a configuration as escaped text: strings as they are, the rest as JSON."""
    return escape(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))


def quantity(value: float | None, unit: str) -> str:
    """A figure as a person reads it: shares as percentages, the rest to a precision that means something."""
    if value is None:
        return UNKNOWN
    return f"{_number(value, unit)}&nbsp;{unit}"


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _number(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.1f}"
    decimals = 3 if value < 0.1 else 2 if value < 10 else 1
    return f"{value:.{decimals}f}"


def _row(label: str, unit: str, values: Sequence[float | None], intervals: Sequence[Sequence[float] | None]) -> str:
    cells = ""
    for value, interval in zip(values, intervals, strict=True):
        number = UNKNOWN if value is None else _number(value, unit)
        span = "" if interval is None else f"<small>{'–<wbr>'.join(_number(bound, unit) for bound in interval)}</small>"
        cells += f"<td>{number}{span}</td>"
    return f'<tr><th scope="row">{label}{f"&nbsp;<i>{unit}</i>" if unit else ""}</th>{cells}</tr>'


def _table(name: str, columns: Sequence[str], rows: str) -> str:
    """In a region that scrolls by itself, with the keyboard too, since a phone is narrower than the table."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="table" role="region" tabindex="0" aria-label="{escape(name)}">{table}</div>'
