"""What the evaluation of a run leaves behind: figures, films, and the report that has both."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.configuration import Configuration
from models.checkpoint import load_world_model
from models.evaluation import evaluate
from models.policy_checkpoint import load_policy
from models.training import METRICS
from viewer.commit import commit
from viewer.filming import CONTEXT, film_of_model, film_of_policy, films_of_worst_dreams, films_of_worst_goals
from viewer.films import gif
from viewer.floor import beside_floor
from viewer.player import player
from viewer.report import report
from viewer.weights import pretrained_figures

HORIZONS = (1, 5, 10)  # of the headlines
OnProgress = Callable[[str, int, int, str], None]


def write_evaluation(
    world_model: Path,
    policy: Path,
    configuration: Configuration,
    facts: Mapping[str, Any],
    folder: Path,
    on_progress: OnProgress,
) -> tuple[dict[str, Any], str]:
    """Write `evaluation.json`, `model.gif`, `policy.gif` and `report.html` into `folder`; the figures and the report.

    Args:
        world_model, policy: folders with weights and the rows of their training.
        facts: what the report says of the run beside its configuration and its commit.
    """
    world, config = configuration.world, configuration.evaluation
    model = load_world_model(world_model)
    pilot = load_policy(policy, model.config)
    figures = evaluate(model, pilot, world, config, lambda done, parts: on_progress("figures", done, parts, ""))

    films = {"model": gif(film_of_model(model, world, config.horizon))}
    on_progress("films", 1, 3, "")
    films["policy"] = gif(film_of_policy(model, pilot, world, config.timesteps))
    on_progress("films", 2, 3, "")
    worst = films_of_worst_dreams(model, world, figures) | films_of_worst_goals(model, pilot, world, figures)
    small = {said: gif(film) for said, film in worst.items()}
    on_progress("films", 3, 3, "")

    pretrained = pretrained_figures(world)
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    page = report(
        {**asdict(configuration), "commit": commit(), **facts, "evaluated": now},
        {**figures, "dream": beside_floor(figures["dream"], world)},
        films,
        [json.loads(line) for part in (world_model, policy) for line in (part / METRICS).read_text().splitlines()],
        worst=small,
        player=player(model, pilot, world),
        others={"the pretrained weights": pretrained} if pretrained else {},
    )
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=1, allow_nan=False))
    for name, film in films.items():
        (folder / f"{name}.gif").write_bytes(film)
    (folder / "report.html").write_text(page, encoding="utf-8")
    return figures, page


def headlines(figures: dict[str, Any]) -> dict[str, float]:
    """The figures that a list of runs shows, without those that could not be computed."""
    dream = next(d for d in figures["dream"] if (d["set"], d["context"]) == ("evaluation", CONTEXT))
    errors = dict(zip(dream["horizon"], dream["centroid_error_px"]["mean"], strict=True))
    reached = figures["goal_reaching"]
    shown = {f"dream_h{horizon}_px": errors.get(horizon) for horizon in HORIZONS}
    for name in ("final_px_mean", "settled", "settle_frames_mean"):
        shown[name] = reached["controllers"]["policy"][name]
    shown["settle_ratio"] = reached["settle_ratio"]
    return {name: value for name, value in shown.items() if value is not None}
