"""What the evaluation of a run leaves behind: figures, films, and the report that has both."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.configuration import Configuration
from models.checkpoint import load_world_model
from models.evaluation import evaluate
from models.policy_checkpoint import load_policy
from models.training import METRICS
from viewer.filming import CONTEXT, FRAMES_PER_SECOND, film_of_model, film_of_policy
from viewer.films import write_gif
from viewer.report import report

HORIZONS = (1, 5, 10)  # of the headlines
OnProgress = Callable[[str, int, int, str], None]


def write_evaluation(
    world_model: Path, policy: Path, configuration: Configuration, run_id: str, folder: Path, on_progress: OnProgress
) -> tuple[dict[str, Any], str]:
    """Write `evaluation.json`, `model.gif`, `policy.gif` and `report.html` into `folder`; the figures and the report.

    Args:
        world_model, policy: folders with weights and the rows of their training.
    """
    world, config = configuration.world, configuration.evaluation
    model = load_world_model(world_model)
    pilot = load_policy(policy, model.config)
    figures = evaluate(model, pilot, world, config, lambda done, parts: on_progress("figures", done, parts, ""))

    write_gif(folder / "model.gif", film_of_model(model, world, config.horizon), FRAMES_PER_SECOND)
    on_progress("films", 1, 2, "")
    write_gif(folder / "policy.gif", film_of_policy(model, pilot, world, config.timesteps), FRAMES_PER_SECOND)
    on_progress("films", 2, 2, "")

    films = {name: (folder / f"{name}.gif").read_bytes() for name in ("model", "policy")}
    rows = [json.loads(line) for part in (world_model, policy) for line in (part / METRICS).read_text().splitlines()]
    page = report({"run_id": run_id, **asdict(configuration)}, figures, films, rows)
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=1, allow_nan=False))
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
