"""Plots: the curves of the report as inline SVG, whose text and axes take the colour of the page around them."""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

BLACK = "#000000"  # matplotlib's colour of lines and axes; the page's text colour takes its place
# Middle tones, which read on white and on black.
DREAM, GREY = "#e5484d", "#8b929c"
SERIES = ("#3b82f6", "#2a9d5c", GREY, "#d9822b", "#b45fcf", DREAM)
POINTS = 150  # of a training curve: the mean of the steps between two points
CONTROLLERS = ("policy", "oracle", "zero_force")  # whose distances are drawn; a random force is like none

# The figures of a dream that are drawn against its horizon: key, label, style.
ERRORS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("p95", "95th percentile", {"color": DREAM, "lw": 1.4, "ls": ":"}),
    ("mean", "dream, mean", {"color": DREAM, "lw": 2.2}),
    ("median", "median", {"color": DREAM, "lw": 1.6, "ls": "--"}),
    ("copy_last_px", "copy of the last frame", {"color": GREY, "lw": 1.6}),
    ("bayes_floor_px", "Bayes floor", {"color": SERIES[1], "lw": 1.6}),
    ("original_px", "the original, in its own world", {"color": SERIES[3], "lw": 1.6}),
)


def dream_name(dream: Mapping) -> str:
    """What an entry of `evaluation.json`'s "dream" is called: its set of episodes and its context."""
    return f"{dream['set'].replace('_', ' ')}, context {dream['context']}"


def dream_figure(dream: Mapping, key: str) -> Sequence[float | None]:
    """One figure of an entry of "dream" at each of its horizons, None where it is missing or could not be computed."""
    return {**dream, **dream["centroid_error_px"]}.get(key) or [None] * len(dream["horizon"])


def dream_error_plot(dream: Mapping) -> str:
    """Centroid error against horizon for one entry of "dream"; the axis is the same in every report, to compare two."""
    figure, axes = new_axes("horizon, timesteps", "centroid error, px")
    for key, label, style in ERRORS:
        values = _numbers(dream_figure(dream, key))
        if np.isfinite(values).any():
            axes.plot(dream["horizon"], values, label=label, **style)
    _pixels(axes)
    mean = zip(dream["horizon"], dream_figure(dream, "mean"), strict=True)
    known = [f"{value:.2f} px at horizon {h}" for h, value in mean if value is not None]
    return inline_svg(
        figure, f"Error of the dream, {dream_name(dream)}; mean: {', '.join(known[:1] + known[1:][-1:])}."
    )


def overlap_plot(dreams: Sequence[Mapping]) -> str:
    """IoU against horizon, a line for each entry of `evaluation.json`'s "dream"."""
    figure, axes = new_axes("horizon, timesteps", "IoU at 0.5")
    for dream, colour in zip(dreams, cycle(SERIES)):
        axes.plot(dream["horizon"], _numbers(dream_figure(dream, "iou")), color=colour, lw=2, label=dream_name(dream))
    axes.set_ylim(0, 1)
    return inline_svg(figure, "How much of the dreamed block covers the true one, against horizon.")


def distance_plot(controllers: Mapping[str, Mapping]) -> str:
    """Distance to the target against frames: median and quartiles of the policy, the oracle and no force."""
    figure, axes = new_axes("frames", "distance to the target, px")
    reached = []
    for name, colour in zip(CONTROLLERS, SERIES, strict=False):
        distance = controllers[name].get("distance")
        if not distance:
            continue
        frame, median = distance["frame"], _numbers(distance["median"])
        axes.fill_between(frame, _numbers(distance["q25"]), _numbers(distance["q75"]), color=colour, alpha=0.2, lw=0)
        axes.plot(frame, median, color=colour, lw=2, label=name.replace("_", " "))
        reached.append(f"{name.replace('_', ' ')} {median[-1]:.2f} px")
    axes.axhline(2, color=BLACK, lw=0.8, ls=":")
    axes.annotate("2 px", (1, 2), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    _pixels(axes)
    return inline_svg(figure, f"Median distance to the target against time, at the end: {', '.join(reached)}.")


def standalone(svg: str) -> str:
    """An inline SVG as a file of its own, which takes the reader's scheme since there is no page around it."""
    style = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#d1d7e0}}</style>"
    head, tail = svg.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{style}{tail}'


def training_plots(rows: Sequence[Mapping]) -> dict[str, str]:
    """For each phase of a training its losses against steps; `rows` are {"step": int, "phase": str, name: float}."""
    rows = [row for row in rows if any("loss" in name for name in row)]
    phases = dict.fromkeys(row["phase"] for row in rows)
    return {phase: _losses_plot(phase, [row for row in rows if row["phase"] == phase]) for phase in phases}


def growth_plot(times: Sequence[int], curves: Mapping[str, Sequence[float]]) -> str:
    """Time against work, both as multiples of the least; `curves` has a value for each of `times` by name."""
    figure, axes = new_axes("times the least work", "times the least time")
    for (name, values), colour in zip(curves.items(), cycle(SERIES)):
        axes.plot(times, values, color=colour, lw=2, marker="o", ms=4, label=name)
    axes.plot(times, times, color=BLACK, lw=0.8, ls=":", label="as the work")
    axes.set_xscale("log")
    axes.set_yscale("log")
    grown = ", ".join(f"{name} {values[-1]:.0f}" for name, values in curves.items())
    return inline_svg(figure, f"Time against work, at {times[-1]} times the work: {grown} times the time.")


def _losses_plot(phase: str, rows: Sequence[Mapping]) -> str:
    figure, axes = new_axes("step", "loss")
    names = dict.fromkeys(name for row in rows for name, value in row.items() if "loss" in name and value is not None)
    for name, colour in zip(names, cycle(SERIES)):
        points = _numbers([(row["step"], row[name]) for row in rows if row.get(name) is not None])
        parts = np.array_split(points, min(POINTS, len(points)))
        axes.plot(
            *np.array([part.mean(axis=0) for part in parts]).T, color=colour, lw=1.6, label=name.replace("_", " ")
        )
    if 0 < axes.dataLim.y0 < axes.dataLim.y1 / 10:
        logarithmic(axes)
    return inline_svg(figure, f"Loss against step while training: {phase.replace('_', ' ')}.")


def new_axes(x: str, y: str) -> tuple[Figure, Axes]:
    """A figure of the page's size with one pair of axes."""
    figure = Figure(figsize=(5.2, 3.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=BLACK, alpha=0.15, lw=0.6)
    return figure, axes


def _pixels(axes: Axes) -> None:
    """From where a good policy holds the block to the square's whole width, the same in every plot of distances; but
    in a larger square to the largest.
    """
    logarithmic(axes)
    axes.set_ylim(0.005, max(35, axes.dataLim.y1 if np.isfinite(axes.dataLim.y1) else 0))


def logarithmic(axes: Axes) -> None:
    """A logarithmic y axis, with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _numbers(values: Sequence) -> np.ndarray:
    """As an array of floats: null becomes NaN, which a plot leaves out."""
    return np.array(values, dtype=float)


def inline_svg(figure: Figure, description: str) -> str:
    """The figure as an <svg> to stand in a page, with `description` for who cannot see it."""
    lines, labels = figure.axes[0].get_legend_handles_labels()
    if labels:
        figure.legend(lines, labels, loc="outside upper left", ncols=2, frameon=False, handlelength=1.6)
    text = io.StringIO()
    # The salt keeps ids of two figures in one page apart, and the same from run to run.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": description}):
        figure.savefig(
            text, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    _, box, drawing = re.split(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', text.getvalue())
    drawing = re.sub(r"<style.*?</style>", "", drawing)  # in a page it would apply to all of it
    drawing = re.sub(r'<g id="[^"]*"', "<g", drawing)
    drawing = re.sub(r"font-family: [^;]*; ", "", drawing).replace(BLACK, "currentColor")
    return f'<svg role="img" aria-label="{escape(description)}" viewBox="{box}" fill="currentColor">{drawing}'
