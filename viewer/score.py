"""Weights on the frozen benchmark, beside the original: python -m viewer.score [WEIGHTS ...] -o docs/score.md"""

import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import torch
from tabulate import tabulate
from tqdm import tqdm

from models.config import EvaluationConfig
from models.process import prepare
from models.scoring import score
from viewer.command_line import command_parser, require_writable, stoppable
from viewer.original import beside_original, recorded
from viewer.plots import distance_plot, dream_error_plot, dream_name, standalone
from viewer.quantities import with_interval
from viewer.tables import DREAM_FIGURES, GOAL_FIGURES, HORIZONS
from viewer.weights import PRETRAINED, load_weights, run_folder

PAGE = Path("docs/score.md")

# What the original's recorded figures are called in `evaluation.json`.
ORIGINAL_GOALS = {
    "final_px_mean": "mean_px",
    "within_2px": "within_2px",
    "held_2px": "held",
    "settled": "settled",
    "settle_frames_mean": "settle_frames_mean_all",
}

# The rows of the summary: set, context and horizons of dreams, and what they are called; figures of goal-reaching.
SUMMARY_DREAMS = (
    ("as_the_original", 1, (1, 5, 10), "dream as the original's, after 1 observation, px"),
    ("audit", 3, (1, 5, 10, 25), "dream at full force, after 3 observations, px"),
)
SUMMARY_GOALS = (
    ("settled", "targets on which the policy settles", "%"),
    ("held_2px", "held within 2 px at the end", "%"),
    ("final_px_mean", "distance after 50 timesteps, px", ""),
    ("settle_frames_mean", "frames to settle", ""),
)

EXAMPLES = """\
examples:
  python -m viewer.score
      the pretrained weights on the whole benchmark, into docs/score.md
  python -m viewer.score 2026-11-23-143005-1f0a --episodes 100 -o score.md
      the weights of a run in runs/, on the first episodes only: sooner there, with wider intervals

The curves are written beside the page, as score-*.svg."""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("viewer.score", __doc__.partition(":")[0] + ".", EXAMPLES)
    parser.add_argument(
        "weights", metavar="WEIGHTS", type=Path, nargs="*", help="folders, or ids of runs/; by default pretrained/*"
    )
    parser.add_argument("--episodes", type=int, default=1000, help="how many of the audit episodes, by default 1000")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help=f"the page, by default {PAGE}, which is of the pretrained weights on all episodes",
    )
    options = parser.parse_args(arguments)
    folders = options.weights or sorted(path.parent for path in PRETRAINED.parent.glob("*/world_model"))
    output = options.output or PAGE
    try:
        prepare()
        if not folders:
            raise ValueError(f"there are no weights in {PRETRAINED.parent}/; name a run's folder")
        config = EvaluationConfig(episodes=options.episodes)
        if not options.output and (options.weights or config != EvaluationConfig()):
            raise ValueError(f"{PAGE} is of the pretrained weights on all episodes: say with -o where this goes")
        require_writable(output)
        named = by_name([run_folder(folder) for folder in folders])
        scores = {name: score_folder(folder, config) for name, folder in named.items()}
    except ValueError as error:
        parser.error(str(error))
    output.write_text(document(scores, output.parent), encoding="utf-8")
    print(f"wrote {output}")
    return 0


def by_name(folders: Sequence[Path]) -> dict[str, Path]:
    """Weights by what the page calls them. Raises a ValueError for two of one name."""
    named: dict[str, Path] = {}
    for folder in folders:
        name = folder.resolve().name
        if name in named:
            raise ValueError(
                f"two of the weights are called {name!r}, {named[name]} and {folder}: score each by itself"
            )
        named[name] = folder
    return named


def score_folder(folder: Path, config: EvaluationConfig, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """The score of the weights in a folder, which compute in numbers of this type, with a bar."""
    model, policy, world, _ = load_weights(folder)
    model.to(dtype)
    policy.to(dtype)
    with tqdm(desc=f"score {folder}", leave=False) as bar:

        def on_progress(done: int, parts: int) -> None:
            bar.total = parts
            bar.n = done
            bar.refresh()

        return score(model, policy, world, config, on_progress)


def document(scores: Mapping[str, Mapping[str, Any]], folder: Path) -> str:
    """The page, as Markdown; its figures are written into `folder`."""
    episodes = next(iter(scores.values()))["episodes"]
    head = (files("viewer") / "templates" / "score.md").read_text("utf-8")
    parts = [Template(head).substitute(episodes=episodes), summary(scores)]
    for name, figures in scores.items():
        parts.append(f"## {name}: {figures['raster']} frames\n")
        for dream in beside_original(figures["dream"]):
            parts.append(dream_part(dream, f"score-{name}-{dream['set']}-{dream['context']}.svg", folder))
        parts.append(goal_part(figures["goal_reaching"], f"score-{name}-goals.svg", folder))
    return "\n".join(parts)


def summary(scores: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of the README: a column for each pair of weights, beside the original's."""
    past = recorded()
    table = []
    for which, context, horizons, label in SUMMARY_DREAMS:
        for horizon in horizons:
            cells = [_mean_error(figures, which, context, horizon) for figures in scores.values()]
            error = past["dream"]["centroid_error_px"][horizon - 1] if which == "as_the_original" else None
            table.append([f"{label}, horizon {horizon}", with_interval(error, None), *cells])
    for key, label, unit in SUMMARY_GOALS:
        policies = [figures["goal_reaching"]["controllers"]["policy"] for figures in scores.values()]
        cells = [with_interval(policy[key], policy["intervals"][key], unit) for policy in policies]
        table.append([label, with_interval(_original_goal(key), None, unit), *cells])
    goals = [figures["goal_reaching"] for figures in scores.values()]
    ratios = [with_interval(each["settle_ratio"], each["intervals"]["settle_ratio"]) for each in goals]
    original_ratio = _original_goal("settle_frames_mean") / past["goal_reaching"]["oracle"]["settle_frames_mean_all"]
    table.append(["the same over the oracle's", with_interval(original_ratio, None), *ratios])
    heads = ["", "the original", *(f"{name} frames" for name in scores)]
    return tabulate(table, heads, "github", disable_numparse=True) + "\n"


def _mean_error(figures: Mapping[str, Any], which: str, context: int, horizon: int) -> str:
    dream = next(d for d in figures["dream"] if (d["set"], d["context"]) == (which, context))
    place = dream["horizon"].index(horizon)
    return with_interval(dream["centroid_error_px"]["mean"][place], dream["intervals"]["mean"][place])


def _original_goal(key: str) -> float | None:
    """A figure of the original's goal-reaching, after its longest pursuit."""
    past = recorded()["goal_reaching"]["original"].get(ORIGINAL_GOALS.get(key))
    return past[-1] if isinstance(past, list) else past


def dream_part(dream: Mapping[str, Any], figure: str, folder: Path) -> str:
    """The table and the curve of one entry of "dream"."""
    (folder / figure).write_text(standalone(dream_error_plot(dream)), encoding="utf-8")
    known = {**dream, **dream["centroid_error_px"]}
    places = [dream["horizon"].index(horizon) for horizon in HORIZONS if horizon in dream["horizon"]]
    rows = []
    for key, label, _ in (*DREAM_FIGURES, ("bayes_ratio", "over the Bayes floor, root mean squares", "")):
        if any(value is not None for value in known.get(key, [])):
            intervals = dream["intervals"].get(key) or [None] * len(dream["horizon"])
            rows.append([label, *(with_interval(known[key][place], intervals[place]) for place in places)])
    table = tabulate(rows, ["horizon", *(dream["horizon"][place] for place in places)], "github", disable_numparse=True)
    title = f"Dream, {dream_name(dream)}"
    return f"### {title}\n\n{table}\n\n![{title}: error against horizon]({figure})\n"


def goal_part(goals: Mapping[str, Any], figure: str, folder: Path) -> str:
    """The table and the curve of goal-reaching."""
    (folder / figure).write_text(standalone(distance_plot(goals["controllers"])), encoding="utf-8")
    rows = []
    for key, label, measured in GOAL_FIGURES:
        unit = measured if measured == "%" else ""  # the labels say that the rest are px or frames
        shown = [with_interval(c[key], c["intervals"][key], unit) for c in goals["controllers"].values()]
        rows.append([label, *shown, with_interval(_original_goal(key), None, unit)])
    names = [name.replace("_", " ") for name in goals["controllers"]]
    table = tabulate(rows, [f"{goals['timesteps']} timesteps", *names, "the original"], "github", disable_numparse=True)
    ratio = with_interval(goals["settle_ratio"], goals["intervals"]["settle_ratio"])
    return (
        f"### Goal-reaching\n\n{table}\n\nThe policy settles in {ratio} of the oracle's time.\n\n"
        f"![Distance to the target against time]({figure})\n"
    )


if __name__ == "__main__":
    sys.exit(main())
