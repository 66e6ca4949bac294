"""The report: one HTML file with a run's films, curves, figures and configuration, which needs nothing beside it."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import imageio.v3 as imageio

from viewer.original import beside_original
from viewer.plots import distance_plot, dream_error_plot, dream_figure, dream_name, overlap_plot, training_plots
from viewer.tables import dream_table, goal_table, plain, quantity, settings_table

MODEL_FILM = "Film of several episodes: reality, the model’s dream, and both over each other."
POLICY_FILM = "Film of several episodes: the policy drives the block to its target."


def report(
    facts: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    films: Mapping[str, bytes],
    training: Sequence[Mapping[str, Any]],
) -> str:
    """The whole page as HTML.

    Args:
        facts: what was run. Plain values stand at the top; each mapping, such as a stage's configuration, becomes a
            table that opens. `run_id`, if there is one, is part of the title.
        evaluation: `evaluation.json`. Beside the documented keys, an entry of "dream" may have `bayes_floor_px`,
            `original_px`, `free_flight_px`, `wall_contact_px` ([float or null]) and `intervals` ({"mean", "iou" or
            another figure: [[low, high] or null]}), all of them for each horizon; a controller may have `intervals`
            ({figure: [low, high]}) and `distance` ({"frame", "q25", "median", "q75": [float]}).
        films: the GIFs "model" and "policy".
        training: the rows of each learner's `metrics.jsonl`: {"step": int, "phase": str, name: float}; every name with
            "loss" in it is drawn.
    """
    templates = files("viewer") / "templates"
    dreams, goal_reaching = beside_original(evaluation["dream"]), evaluation["goal_reaching"]
    run_id = facts.get("run_id")
    return Template((templates / "report.html").read_text("utf-8")).substitute(
        title=escape(f"dreamblock · {run_id}" if run_id else "dreamblock"),
        style=(templates / "report.css").read_text("utf-8"),
        facts=_facts(facts),
        cards=_cards(evaluation),
        model_film=_film(films["model"], MODEL_FILM),
        policy_film=_film(films["policy"], POLICY_FILM),
        dreams="".join(_panel(dream_name(dream), dream_error_plot(dream) + dream_table(dream)) for dream in dreams)
        + _panel("overlap of the dreamed and the true block", overlap_plot(dreams)),
        goals=_panel("distance to the target, median and quartiles", distance_plot(goal_reaching["controllers"]))
        + _panel("controllers", goal_table(goal_reaching)),
        training="".join(_panel(phase, plot) for phase, plot in training_plots(training).items()),
        settings=_settings(facts),
    )


def _facts(facts: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in facts.items() if name != "run_id" and not isinstance(value, Mapping)}
    items = (f"<div><dt>{_words(name)}</dt><dd>{plain(value)}</dd></div>" for name, value in shown.items())
    return f"<dl>{''.join(items)}</dl>"


def _settings(facts: Mapping[str, Any]) -> str:
    nested = {name: value for name, value in facts.items() if isinstance(value, Mapping)}
    return "".join(
        f"<details><summary>{_words(name)}</summary>{settings_table(value)}</details>" for name, value in nested.items()
    )


def _words(name: str) -> str:
    return escape(name.replace("_", " "))


def _cards(evaluation: Mapping[str, Any]) -> str:
    """The run at a glance: the dream near and far, from the longest context, and the policy beside the oracle."""
    cards = []
    dream = max((d for d in evaluation["dream"] if d["set"] == "evaluation"), key=lambda d: d["context"])
    for horizon, label in ((1, "Dream, one timestep ahead"), (10, "Dream, ten timesteps ahead")):
        if horizon in dream["horizon"]:
            place = dream["horizon"].index(horizon)
            error = quantity(dream_figure(dream, "mean")[place], "px")
            copied = quantity(dream_figure(dream, "copy_last_px")[place], "px")
            cards.append((label, error, f"mean error; a copy of the last frame: {copied}"))
    goal_reaching = evaluation["goal_reaching"]
    policy, nobody = (goal_reaching["controllers"][name] for name in ("policy", "zero_force"))
    settled, alone = quantity(policy["settled"], "%"), quantity(nobody["settled"], "%")
    cards.append(("Settled at the target", settled, f"of the episodes; without force: {alone}"))
    time, ratio = quantity(policy["settle_frames_mean"], "frames"), quantity(goal_reaching["settle_ratio"], "times")
    cards.append(("Time to settle", time, f"mean; {ratio} the oracle’s, which sees the true state"))
    drawn = (f'<div class="card"><p>{a}</p><p class="value">{b}</p><p>{c}</p></div>' for a, b, c in cards)
    return f'<div class="cards">{"".join(drawn)}</div>'


def _film(gif: bytes, description: str) -> str:
    """The film, or its middle frame for a reader whose system asks for little motion."""
    frames, height, width, _ = imageio.improps(gif, extension=".gif").shape
    still = imageio.imwrite("<bytes>", imageio.imread(gif, extension=".gif", index=frames // 2), extension=".png")
    return (
        f'<picture><source media="(prefers-reduced-motion: reduce)" srcset="{_data_uri("image/png", still)}">'
        f'<img src="{_data_uri("image/gif", gif)}" width="{width}" height="{height}" alt="{description}"></picture>'
    )


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _panel(title: str, content: str) -> str:
    return f'<figure class="panel"><figcaption>{_words(title)}</figcaption>{content}</figure>'
