"""The page docs/learning.md and its figures, which follow from the results beside it and from the code alone."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from tabulate import tabulate

from sim_core.world import World
from viewer.learning.curves import LOSSES, apart, curve
from viewer.learning.figures import contacts_plot, loss_plot, ratio_plot, slope_plot, time_plot
from viewer.learning.trainings import Job
from viewer.learning.variants import BASELINE, BY_NAME, POLICY_BASELINE, SEEDS, VARIANTS, Variant
from viewer.learning.worst import DEPARTED, DRAWS
from viewer.plots import standalone
from viewer.quantities import UNKNOWN, quantity, rounded

WORST_FILE, TIME_FILE = "worst.json", "training-time.json"
LONGER_FILE = "longer-trainings.md"  # what is told beside the curve of TIME_FILE, by hand
SOON = 2  # frames after a contact in which a dream leaves the truth because of it
PULLS = (2, 6, 12)  # px of displacement in the table of losses

# Kinds of differences of an error over the baseline's: what they are called, and from where to where.
DIFFERENCES = (
    ("Errors half as large again, or more", 1.5, np.inf),
    ("Larger by a tenth to a half", 1.1, 1.5),
    ("Much the same", 0.9, 1.1),
    ("Smaller by more than a tenth", 0, 0.9),
)

# Figures of a policy in the table: key, head, unit.
POLICY_COLUMNS = (
    ("settled", "settled", "%"),
    ("settle_ratio", "time over the oracle's", ""),
    ("final_px_mean", "final distance", ""),
    ("held_1px", "held within 1 px", "%"),
    ("small_squares", "small squares", "%"),
)

Results = dict[Job, dict[str, Any]]


def write(folder: Path, output: Path) -> None:
    """Write the page, and its figures beside it.

    Raises:
        ValueError: a result is missing that nothing can do without, or one is not what it should be.
    """
    results = load_results(folder)
    drawn: dict[str, str] = {}
    curves = {name: curve(loss, World()) for name, loss in LOSSES.items()}
    drawn["loss"], drawn["slope"] = loss_plot(curves), slope_plot(curves)
    through = {run["world_model"] for _, runs in _runs(results, POLICY_BASELINE.learner) for run in runs}
    ratios = model_ratios(results)
    drawn["ratios"] = ratio_plot(ratios)
    worst = json.loads((folder / WORST_FILE).read_text("utf-8")) if (folder / WORST_FILE).exists() else None
    if worst:
        drawn["worst"] = contacts_plot(worst["by_contacts"])
    longer = json.loads((folder / TIME_FILE).read_text("utf-8")) if (folder / TIME_FILE).exists() else None
    if longer:
        drawn["time"] = time_plot(longer)
    name = output.stem
    one = results[Job(BASELINE.name, SEEDS[0])]
    spent = [result["cpu_seconds"] for result in results.values()]
    text = _template("learning.md").substitute(
        name=name,
        **{key.removesuffix("_steps"): value for key, value in one["lengths"].items()},
        seconds=f"{min(spent):.0f} to {max(spent):.0f}",
        torch=", ".join(sorted({result["torch"] for result in results.values()})),
        losses=_table(
            ["", "least at", *(f"pull at {d} px" for d in PULLS)],
            [
                [
                    label,
                    f"{each.least_at:.2f} px".replace("-0.00", "0.00"),
                    *(f"{abs(each.pull(d)):.2f}" for d in PULLS),
                ]
                for label, each in curves.items()
            ],
        ),
        apart=quantity(apart(World()), "%"),
        model_figure=f"![Error at horizon 10 over the baseline's, of each variant]({name}-ratios.svg)",
        model_table=model_table(results),
        summary=summary(ratios),
        policy_table=policy_table(results),
        model_commits=_commits(_codes(results, BASELINE.learner)),
        policy_commits=_commits(_codes(results, POLICY_BASELINE.learner)),
        through=_commits(through),
        worst=worst_part(worst, name) if worst else "",
        longer=longer_part(folder, name) if longer else "",
    )
    output.write_text(text, encoding="utf-8")
    for figure, svg in drawn.items():
        output.with_name(f"{name}-{figure}.svg").write_text(standalone(svg), encoding="utf-8")


def longer_part(folder: Path, name: str) -> str:
    """The section on trainings that took longer than those of the variants."""
    told = (folder / LONGER_FILE).read_text("utf-8").strip()
    return f"## Longer trainings\n{told}\n\n![Error against time]({name}-time.svg)\n"


def load_results(folder: Path) -> Results:
    """All results of trainings in a folder.

    Raises:
        ValueError: there is none of a baseline, or one is of no known variant, or was trained at another length.
    """
    results: Results = {}
    for file in sorted(folder.glob("*.json")):
        if not re.search(r"-\d+\.json$", file.name):
            continue
        result = json.loads(file.read_text("utf-8"))
        if result["variant"] not in BY_NAME:
            raise ValueError(f"{file} is of the variant {result['variant']!r}, which there is no more; remove it")
        results[Job(result["variant"], result["seed"])] = result
    for baseline in (BASELINE, POLICY_BASELINE):
        if Job(baseline.name, SEEDS[0]) not in results:
            raise ValueError(
                f"{folder} has no result of {baseline.name!r}, which the others are compared with; "
                f"python -m viewer.learning train {baseline.name} makes it"
            )
    lengths = results[Job(BASELINE.name, SEEDS[0])]["lengths"]
    for job, result in results.items():
        if result["lengths"] != lengths:
            raise ValueError(
                f"the results in {folder} do not compare: {job.variant}, seed {job.seed}, is of other lengths"
            )
    return results


def model_ratios(results: Results) -> dict[str, list[float]]:
    """Of each variant of the world model, by its name, the error at horizon 10 over the baseline's."""
    return {
        variant.name: ratios
        for variant in _grouped(BASELINE.learner)
        if variant != BASELINE and (ratios := _ratios(results, variant))
    }


def model_table(results: Results) -> str:
    """The variants of the world model: errors by horizon, over the baseline's, with frames fed back, and precision."""
    horizons = results[Job(BASELINE.name, SEEDS[0])]["figures"]["horizon"]
    rows = []
    for variant, runs in _runs(results, BASELINE.learner):
        errors = [[run["error_px"][place] for run in runs] for place in range(len(horizons))]
        rows.append(
            [
                *_named(variant),
                *map(_cell, errors),
                _cell(_ratios(results, variant)),
                _cell([run["on_pixels_px"][-1] for run in runs]),
                _cell([run["precision_px"][horizons.index(5)] for run in runs]),
            ]
        )
    heads = [f"h{h}" for h in horizons]
    return _table(
        ["variant", "", *heads, f"{heads[-1]} over baseline", f"{heads[-1]}, frames fed back", "precision"], rows
    )


def summary(ratios: Mapping[str, Sequence[float]]) -> str:
    """What a table of ratios comes to, the worst first: a line for each kind of difference."""
    means = sorted(((float(np.mean(values)), name) for name, values in ratios.items()), reverse=True)
    lines = []
    for label, low, high in DIFFERENCES:
        found = [f"`{name}` {quantity(mean)}" for mean, name in means if low <= mean < high]
        lines += [f"- {label}: {', '.join(found)}."] if found else []
    return "\n".join(lines)


def policy_table(results: Results) -> str:
    """The variants of the policy's training."""
    rows = [
        [
            *_named(variant),
            *(_cell([run[key] for run in runs], unit) for key, _, unit in POLICY_COLUMNS),
        ]
        for variant, runs in _runs(results, POLICY_BASELINE.learner)
    ]
    return _table(["variant", "", *(head for _, head, _ in POLICY_COLUMNS)], rows)


def worst_part(found: Mapping[str, Any], name: str) -> str:
    """The section on the worst dreams."""
    stories, calls = found["worst"], found["by_call"]
    bounds = [quantity(bound) for bound in calls["below_px"][:-1]]
    after = [s for s in stories if s["last_contact"] is not None and s["departed"] - s["last_contact"] <= SOON]
    seen = [s for s in stories if s["last_contact"] is not None and s["last_contact"] <= 0]
    possible = [s for s in stories if s["exact_most_px"] >= s["error_px"] / 2]
    ratios = [
        None if None in pair else pair[0] / pair[1] for pair in zip(calls["dream_px"], calls["exact_px"], strict=True)
    ]
    return _template("learning-worst.md").substitute(
        name=name,
        commit=found["commit"],
        episodes=found["episodes"],
        error=quantity(found["error_px"]),
        sigma=quantity(found["sigma_px"]),
        worst=len(stories),
        share=quantity(found["worst_share"], "%"),
        exact_share=quantity(found["exact_worst_share"], "%"),
        calls=_table(
            ["closest call, px", "episodes", "dreams, h10", "exact simulator, h10", "ratio"],
            [
                [label, str(count), *map(quantity, figures)]
                for label, count, *figures in zip(
                    [f"below {bounds[0]}", *(f"to {bound}" for bound in bounds[1:]), "more, or no contact"],
                    calls["episodes"],
                    calls["dream_px"],
                    calls["exact_px"],
                    ratios,
                    strict=True,
                )
            ],
        ),
        after=len(after),
        departed=DEPARTED,
        call=quantity(float(np.median([s["call_px"] for s in stories if s["call_px"] is not None]))),
        any_call=quantity(found["median_call_px"]),
        seen=len(seen),
        possible=len(possible),
        own=len(stories) - len(possible),
        draws=DRAWS,
        stories=_table(
            [
                "episode",
                "error at h10, px",
                "left the truth in frame",
                "last contact before",
                "its call, px",
                f"exact simulator: mean, most of {DRAWS}, px",
            ],
            [
                [
                    str(s["episode"]),
                    quantity(s["error_px"]),
                    str(s["departed"]),
                    UNKNOWN if s["last_contact"] is None else str(s["last_contact"]),
                    quantity(s["call_px"]),
                    f"{quantity(s['exact_px'])}, {quantity(s['exact_most_px'])}",
                ]
                for s in stories
            ],
        ),
    )


def _grouped(learner: str) -> list[Variant]:
    """A learner's variants, those of a group together."""
    own = [variant for variant in VARIANTS if variant.learner == learner]
    groups = list(dict.fromkeys(variant.group for variant in own))
    return sorted(own, key=lambda variant: groups.index(variant.group))


def _named(variant: Variant) -> tuple[str, str]:
    return f"`{variant.name}`", f"{variant.group}: {variant.label}"


def _codes(results: Results, learner: str) -> set[str]:
    """The commits of the code that a learner's results were trained by."""
    return {result["commit"] for job, result in results.items() if BY_NAME[job.variant].learner == learner}


def _commits(commits: set[str]) -> str:
    return " and ".join(f"`{commit}`" for commit in sorted(commits))


def _runs(results: Results, learner: str) -> Iterable[tuple[Variant, list[dict[str, Any]]]]:
    """The variants that there are results of, with the figures of each seed."""
    for variant in _grouped(learner):
        runs = [results[Job(variant.name, s)]["figures"] for s in SEEDS if Job(variant.name, s) in results]
        if runs:
            yield variant, runs


def _ratios(results: Results, variant: Variant) -> list[float]:
    """The error at the last horizon over that of the baseline of the same seed, for the seeds that have both."""
    pairs = [(Job(variant.name, seed), Job(BASELINE.name, seed)) for seed in SEEDS]
    return [
        results[job]["figures"]["error_px"][-1] / results[base]["figures"]["error_px"][-1]
        for job, base in pairs
        if job in results and base in results
    ]


def _cell(values: Sequence[float | None], unit: str = "") -> str:
    """The figure of each seed, to the precision that the first one asks for."""
    known = [value for value in values if value is not None]
    told = iter(rounded(known, unit) if known else ())
    cells = [UNKNOWN if value is None else next(told) for value in values]
    return ", ".join(cells) + (f"\N{NO-BREAK SPACE}{unit}" if unit and known else "")


def _table(heads: list[str], rows: list[list[str]]) -> str:
    return tabulate(rows, heads, "github", disable_numparse=True)


def _template(name: str) -> Template:
    return Template((files("viewer") / "templates" / name).read_text("utf-8"))
