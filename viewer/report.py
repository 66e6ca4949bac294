"""The report: one HTML file in which a run can be seen and played with, and which needs nothing beside it."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from viewer.original import beside_original
from viewer.page import both_films, fill, film, page, panel, words
from viewer.plots import distance_plot, dream_error_plot, dream_figure, dream_name, overlap_plot, training_plots
from viewer.quantities import quantity
from viewer.tables import comparison_table, dream_table, goal_table, longest_context, plain, settings_table


def report(
    facts: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    films: Mapping[str, bytes],
    training: Sequence[Mapping[str, Any]],
    *,
    worst: Mapping[str, bytes],
    player: str,
    others: Mapping[str, Mapping[str, Any]],
) -> str:
    """The whole page as HTML.

    Args:
        facts: what was run. Plain values stand at the top; each mapping, such as a stage's configuration, becomes a
            table that opens. `run_id`, if there is one, is part of the title.
        evaluation: `evaluation.json`. Beside the documented keys, an entry of "dream" may have `bayes_floor_px`,
            `free_flight_px`, `wall_contact_px` ([float or null]) and `intervals` ({"mean", "iou" or another figure:
            [[low, high] or null]}), all of them for each horizon; a controller may have `intervals` ({figure: [low,
            high]}) and `distance` ({"frame", "q25", "median", "q75": [float]}).
        films: the GIFs "model" and "policy".
        training: the rows of each learner's `metrics.jsonl`: {"step": int, "phase": str, name: float}; every name with
            "loss" in it is drawn.
        worst: small GIFs of what went wrong most, by what is to be said of each.
        player: the HTML of `viewer.player`.
        others: the `evaluation.json` of what this run is to be compared with, by name.
    """
    dreams, goal_reaching = beside_original(evaluation["dream"]), evaluation["goal_reaching"]
    run_id = facts.get("run_id")
    return page(
        "report",
        title=escape(f"dreamblock · {run_id}" if run_id else "dreamblock"),
        facts=_facts(facts),
        cards=_cards(evaluation),
        player=player,
        films=both_films(films["model"], films["policy"]),
        comparison=_comparison(evaluation, others),
        dreams="".join(panel(dream_name(dream), dream_error_plot(dream) + dream_table(dream)) for dream in dreams)
        + panel("overlap of the dreamed and the true block", overlap_plot(dreams)),
        goals=panel("distance to the target, median and quartiles", distance_plot(goal_reaching["controllers"]))
        + panel("controllers", goal_table(goal_reaching)),
        worst="".join(panel(said, film(gif, f"Film. {said}.")) for said, gif in worst.items()),
        training="".join(panel(phase, plot) for phase, plot in training_plots(training).items()),
        settings=_settings(facts),
    )


def _facts(facts: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in facts.items() if name != "run_id" and not isinstance(value, Mapping)}
    items = (f"<div><dt>{words(name)}</dt><dd>{plain(value)}</dd></div>" for name, value in shown.items())
    return f"<dl>{''.join(items)}</dl>"


def _settings(facts: Mapping[str, Any]) -> str:
    nested = {name: value for name, value in facts.items() if isinstance(value, Mapping)}
    return "".join(
        f"<details><summary>{words(name)}</summary>{settings_table(value)}</details>" for name, value in nested.items()
    )


def _cards(evaluation: Mapping[str, Any]) -> str:
    """The run at a glance: the dream near and far, from the longest context, and the policy beside the oracle."""
    cards = []
    dream = longest_context(evaluation)
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


def _comparison(evaluation: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    """A section, where there is something to compare with."""
    if not others:
        return ""
    return fill("comparison", table=panel("dream and policy", comparison_table(evaluation, others)))
