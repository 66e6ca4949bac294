"""Tables: figures and configurations as HTML for a person; figures with their 95 % intervals where they have them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from viewer.plots import dream_figure, dream_name
from viewer.quantities import UNKNOWN, rounded

HORIZONS = (1, 5, 10, 25)  # the columns of the table of dreams

# Where a figure lies in an entry of "dream", what it is called, and its unit.
DREAM_FIGURES = (
    ("mean", "mean error", "px"),
    ("median", "median error", "px"),
    ("p95", "95th percentile", "px"),
    ("free_flight_px", "mean in free flight", "px"),
    ("wall_contact_px", "mean with wall contact", "px"),
    ("copy_last_px", "copy of the last frame", "px"),
    ("bayes_floor_px", "Bayes floor", "px"),
    ("original_px", "the original, in its own world", "px"),
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
MAIN = ("final_px_mean", "within_2px", "settled", "settle_frames_mean")  # of the goals, to compare runs


def longest_context(evaluation: Mapping) -> Mapping:
    """Of an `evaluation.json` the entry of "dream" from the longest context, not as the original's was measured."""
    dreams = [dream for dream in evaluation["dream"] if dream["set"] != "as_the_original"]
    return max(dreams, key=lambda dream: dream["context"])


def comparison_table(evaluation: Mapping, others: Mapping[str, Mapping]) -> str:
    """The main figures of this run's `evaluation.json` and of others, which have names."""
    evaluations = {"this run": evaluation, **others}
    columns = [_main_figures(each) for each in evaluations.values()]
    rows = ""
    for label, unit in columns[0]:
        values, intervals = zip(*(column.get((label, unit), (None, None)) for column in columns), strict=True)
        rows += _row(label, unit, values, intervals)
    judged = [f"{each['episodes']} {longest_context(each)['set']} episodes" for each in evaluations.values()]
    rows += f'<tr><th scope="row">judged on</th>{"".join(f"<td>{escape(on)}</td>" for on in judged)}</tr>'
    return _table("This run and others", ["", *evaluations], rows)


def _main_figures(evaluation: Mapping) -> dict[tuple[str, str], tuple[float | None, Sequence[float] | None]]:
    """Figures with their intervals by label and unit: of the dream from the longest context, and of the policy."""
    dream, goals = longest_context(evaluation), evaluation["goal_reaching"]
    policy = goals["controllers"]["policy"]
    errors = zip(dream["horizon"], dream_figure(dream, "mean"), _intervals(dream, "mean"), strict=True)
    return {
        **{
            (f"mean error of the dream at horizon {horizon}", "px"): (value, interval)
            for horizon, value, interval in errors
            if horizon in HORIZONS
        },
        **{(label, unit): (policy[key], _interval(policy, key)) for key, label, unit in GOAL_FIGURES if key in MAIN},
        ("frames to settle over the oracle’s", ""): (goals["settle_ratio"], _interval(goals, "settle_ratio")),
    }


def dream_table(dream: Mapping) -> str:
    """The figures of one entry of "dream" at horizons 1, 5, 10 and 25, as far as it goes."""
    places = {h: dream["horizon"].index(h) for h in HORIZONS if h in dream["horizon"]}
    rows = ""
    for key, label, unit in DREAM_FIGURES:
        if key in dream or key in dream["centroid_error_px"]:
            values, intervals = dream_figure(dream, key), _intervals(dream, key)
            rows += _row(label, unit, [values[i] for i in places.values()], [intervals[i] for i in places.values()])
    return _table(f"Dream, {dream_name(dream)}", ["horizon", *map(str, places)], rows)


def goal_table(goal_reaching: Mapping) -> str:
    """The controllers' figures, a column for each controller."""
    controllers = goal_reaching["controllers"]
    rows = ""
    for key, label, unit in GOAL_FIGURES:
        each = controllers.values()
        rows += _row(label, unit, [figures[key] for figures in each], [_interval(figures, key) for figures in each])
    title = f"after {goal_reaching['timesteps']} timesteps"
    return _table("Goal-reaching", [title, *(name.replace("_", " ") for name in controllers)], rows)


def settings_table(settings: Mapping[str, Any]) -> str:
    """Names and values; a mapping within becomes names with dots."""
    rows = (f'<tr><th scope="row">{escape(name)}</th><td>{plain(value)}</td></tr>' for name, value in _flat(settings))
    return f'<table class="settings"><tbody>{"".join(rows)}</tbody></table>'


def plain(value: Any) -> str:
    """A value of a configuration as escaped text: strings as they are, the rest as JSON."""
    return escape(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))


def _interval(figures: Mapping, key: str) -> Any:
    return figures.get("intervals", {}).get(key)


def _intervals(dream: Mapping, key: str) -> Sequence[Sequence[float] | None]:
    return _interval(dream, key) or [None] * len(dream["horizon"])


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _row(label: str, unit: str, values: Sequence[float | None], intervals: Sequence[Sequence[float] | None]) -> str:
    cells = ""
    for value, interval in zip(values, intervals, strict=True):
        number, *bounds = [UNKNOWN] if value is None else rounded([value, *(interval or ())], unit)
        span = f"<small>{'–<wbr>'.join(bounds)}</small>" if bounds else ""
        cells += f"<td>{number}{span}</td>"
    return f'<tr><th scope="row">{label}{f"&nbsp;<i>{unit}</i>" if unit else ""}</th>{cells}</tr>'


def _table(name: str, columns: Sequence[str], rows: str) -> str:
    """In a region that scrolls by itself, with the keyboard too, since a phone is narrower than the table."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="table" role="region" tabindex="0" aria-label="{escape(name)}">{table}</div>'
