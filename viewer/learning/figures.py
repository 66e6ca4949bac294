"""The figures of docs/learning.md, as inline SVG."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from viewer.learning.curves import DISPLACEMENTS, Curve
from viewer.plots import BLACK, DREAM, GREY, SERIES, inline_svg, logarithmic, new_axes

COLOURS = (GREY, SERIES[0], DREAM)  # of the three losses, ours as a dream's


def loss_plot(curves: Mapping[str, Curve]) -> str:
    """Losses against displacement, each over its largest value."""
    figure, axes = new_axes("displacement, px", "loss over its largest")
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=True):
        axes.plot(DISPLACEMENTS, curve.loss / curve.loss.max(), color=colour, lw=2, label=name)
    return inline_svg(figure, f"Loss against displacement: {', '.join(curves)}.")


def slope_plot(curves: Mapping[str, Curve]) -> str:
    """Their slopes, each over the steepest."""
    figure, axes = new_axes("displacement, px", "slope over the steepest")
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=True):
        axes.plot(DISPLACEMENTS, curve.slope / np.abs(curve.slope).max(), color=colour, lw=2, label=name)
    return inline_svg(figure, f"Slope of the loss against displacement: {', '.join(curves)}.")


def ratio_plot(ratios: Mapping[str, Sequence[float]]) -> str:
    """For each variant, by its label, an error over the baseline's, a dot a seed; the first at the top."""
    figure, axes = new_axes("error at horizon 10 over the baseline’s", "")
    figure.set_size_inches(7.6, 1 + 0.24 * len(ratios))
    for row, values in enumerate(ratios.values()):
        axes.plot(values, [row] * len(values), "o", color=DREAM, ms=5, alpha=0.8)
    axes.axvline(1, color=BLACK, lw=0.8)
    axes.set_yticks(range(len(ratios)), list(ratios))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([tick for tick in (0.5, 0.7, 1, 1.5, 2, 3, 5, 8, 12) if _within(tick, ratios)])
    told = [f"{label} {np.mean(values):.2f}" for label, values in ratios.items()]
    return inline_svg(figure, f"Error at horizon 10 over the baseline's: {', '.join(told)}.")


def contacts_plot(by_contacts: Mapping[str, Sequence]) -> str:
    """Error by the number of wall contacts so far, of dreams and of the exact simulator."""
    figure, axes = new_axes("wall contacts so far", "mean error, px")
    contacts = by_contacts["contacts"]
    for key, label, colour in (
        ("dream_px", "dreams", DREAM),
        ("exact_px", "exact simulator, started with noise σ", SERIES[0]),
    ):
        axes.plot(contacts, np.array(by_contacts[key], float), "o-", color=colour, lw=2, label=label)
    axes.set_xticks(contacts, [*map(str, contacts[:-1]), f"{contacts[-1]} or more"])
    axes.set_ylim(0)
    return inline_svg(figure, "Mean error by the number of wall contacts so far, of dreams and of the exact simulator.")


def time_plot(curve: Mapping[str, Any]) -> str:
    """Error at horizon 10 against training time, a line a run."""
    figure, axes = new_axes(curve["x"], "error at horizon 10, px")
    for run, colour in zip(curve["runs"], cycle(SERIES)):
        axes.plot(run["x"], run["h10_px"], color=colour, lw=1.8, label=run["name"])
    logarithmic(axes)
    ends = [f"{run['name']} {run['h10_px'][-1]:.2f} px" for run in curve["runs"]]
    return inline_svg(figure, f"Error at horizon 10 against training time, at the end: {', '.join(ends)}.")


def _within(tick: float, ratios: Mapping[str, Sequence[float]]) -> bool:
    values = [1.0, *(value for each in ratios.values() for value in each)]
    return min(values) / 1.2 <= tick <= max(values) * 1.2
