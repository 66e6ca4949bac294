"""Weights to ship, with a model card, from runs of several seeds: python -m viewer.card RUN ... (see --help)."""

import json
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from models.checkpoint import load_world
from models.config import EvaluationConfig
from models.dream_figures import dream_errors
from models.process import prepare
from viewer.command_line import command_parser, make_folder, require_writable, stoppable
from viewer.quantities import UNKNOWN, with_interval
from viewer.score import score_folder
from viewer.weights import load_weights, run_folder, weights_in

FEW = 200  # of the audit episodes, which CI scores anew
CONTEXT, HORIZON = 3, 10  # of the validation dreams by which the shipped seed is chosen
EXAMPLES = """\
examples:
  python -m viewer.card RUN RUN RUN --commit COMMIT -o pretrained/coverage
      the best of three runs, by its validation dreams, with the figures of all three"""
CARD, PAGE = "card.json", "README.md"

RASTERS = {
    "coverage": "frames rendered by pixel coverage, as a camera would see the block",
    "pixel": "frames of whole pixels, the original's, which hide where in a pixel the block is",
}
LIMITS = """\
- One block of 4 × 4 px, alone in a square of 32 × 32 px, pushed by forces within ±1 that are held for 4 frames. Another
  world needs a training of its own.
- The world is chaotic at the walls: a dream that is right to a hundredth of a pixel is pixels off after some bounces.
- The policy was trained towards blocks. It also goes to the middle of other small shapes, and to one of two squares or
  between them; what it does with a drawing over half the field is anybody's guess."""

# The rows of the table: what it is called, where it lies, and its unit.
DREAM_ROWS = (
    ("dream after 3 observations", "audit", 3, "centroid_error_px", (1, 5, 10, 25)),
    ("its precision", "audit", 3, "precision_px", (5, 10, 25)),
    ("its ratio to the Bayes floor, root mean squares", "audit", 3, "bayes_ratio", (1, 5, 10)),
    ("dream as the original's, after 1", "as_the_original", 1, "centroid_error_px", (1, 5, 10)),
    ("its ratio to the Bayes floor, root mean squares", "as_the_original", 1, "bayes_ratio", (1, 5, 10)),
)
GOAL_ROWS = (
    ("settled", "settled", "%"),
    ("frames to settle, mean", "settle_frames_mean", ""),
    ("held within 1 px", "held_1px", "%"),
    ("held within 2 px", "held_2px", "%"),
    ("distance at the end, mean, px", "final_px_mean", ""),
)


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("viewer.card", __doc__.partition(":")[0] + ".", EXAMPLES)
    parser.add_argument(
        "runs", metavar="RUN", type=Path, nargs="+", help="finished runs, one a seed: folders, or ids of runs/"
    )
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", type=Path, required=True, help="such as pretrained/coverage"
    )
    parser.add_argument("--commit", required=True, help="of the code that the runs were trained with")
    parser.add_argument("--machine", help="that the runs were trained on, by default this one")
    parser.add_argument("--how", help="the weights were made, where it was not by one command alone")
    parser.add_argument("--episodes", type=int, default=1000, help="audit episodes to score, by default 1000")
    options = parser.parse_args(arguments)
    try:
        prepare()
        runs = [finished(run_folder(run)) for run in options.runs]
        make_folder(options.output)
        require_writable(options.output / CARD)
        seeds = [scored(run, EvaluationConfig(episodes=options.episodes)) for run in runs]
    except ValueError as error:
        parser.error(str(error))
    chosen = min(range(len(seeds)), key=lambda i: seeds[i]["validation_px"])
    ship(runs[chosen], options.output)
    facts = {"commit": options.commit, "machine": options.machine or machine(), "how": options.how}
    few = first_few(options.output)
    card = {"schema": 1, **facts, "chosen": chosen, "seeds": seeds, "figures": seeds[chosen]["figures"], "first": few}
    (options.output / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (options.output / PAGE).write_text(page(card, options.output), encoding="utf-8")
    print(f"wrote {options.output}: seed {seeds[chosen]['seed']} of {', '.join(str(seed['seed']) for seed in seeds)}")
    return 0


def finished(run: Path) -> Path:
    """The folder of a run, which has its record. Raises a ValueError for another, such as one of weights alone."""
    if not (run / "run.json").is_file():
        raise ValueError(f"{run} has no run.json: it must be the folder of a finished run")
    return run


def scored(run: Path, config: EvaluationConfig) -> dict[str, Any]:
    """What the card has of one run: how it was made, by what it may be chosen, and its figures."""
    model, policy, world, _ = load_weights(run)
    parameters = json.loads((run / "run.json").read_text(encoding="utf-8"))["parameters"]
    validation = dream_errors(model, world, "validation", config.episodes, CONTEXT, HORIZON)[:, -1]
    return {
        "seed": int(parameters["overrides"].get("world_model_training.seed", parameters["seed"])),
        "run": {key: parameters[key] for key in ("preset", "overrides", "champion") if parameters.get(key)},
        "seconds": seconds(run),
        "parameters": {
            name: sum(weight.numel() for weight in part.parameters())
            for name, part in (("world_model", model), ("policy", policy))
        },
        "validation_px": float(np.mean(validation)),
        "figures": score_folder(run, config),
    }


def seconds(run: Path) -> dict[str, float]:
    """What each step of a run took, where it was run: a step may be taken from an earlier run beside this one."""
    spent: dict[str, float] = {}
    for task in json.loads((run / "run.json").read_text(encoding="utf-8"))["tasks"]:
        name, earlier = task["name"], task["cached_from"]
        took = seconds(run.with_name(earlier))[name] if earlier else task["seconds"]
        spent[name] = round(spent.get(name, 0) + (0 if earlier and name in spent else took), 1)
    return spent


def ship(run: Path, folder: Path) -> None:
    """Copy the weights of a run, without what its training left beside them."""
    for name, source in (weights_in(run) or {}).items():
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
        for file in ("weights.safetensors", "model.json"):
            shutil.copyfile(source / file, folder / name / file)


def first_few(folder: Path) -> dict[str, Any]:
    """The figures of shipped weights on the first audit episodes, the same on every processor.

    In double precision: processors round differently, and where a policy sees whole pixels, a difference in the seventh
    digit comes to a hundredth in 50 timesteps.
    """
    return score_folder(folder, EvaluationConfig(episodes=FEW), torch.float64)


def machine() -> str:
    """The processor, the number of its cores and the GPU, as far as the system tells."""
    cpu = platform.processor() or platform.machine()
    told = Path("/proc/cpuinfo")
    if told.is_file():
        names = [line.partition(":")[2].strip() for line in told.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{cpu}, {os.cpu_count()} cores, {gpu}; each training on one thread"


def page(card: Mapping[str, Any], folder: Path) -> str:
    """The model card for people, as Markdown."""
    seeds = card["seeds"]
    chosen = seeds[card["chosen"]]
    world = load_world(folder / "world_model")
    names = [str(seed["seed"]) for seed in seeds]
    spent = [sum(seed["seconds"].values()) / 60 for seed in seeds]
    last = "last " if card["how"] else ""
    command = f"`{shlex.join(training_command(chosen['run']))}`"
    return Template((files("viewer") / "templates" / "card.md").read_text("utf-8")).substitute(
        raster=world.raster.capitalize(),
        raster_words=RASTERS[world.raster],
        chosen=chosen["seed"],
        seeds=", ".join(names),
        criterion=f"the least error of {chosen['figures']['episodes']} validation dreams at horizon {HORIZON} ("
        + ", ".join(f"{seed['validation_px']:.2f}" for seed in seeds)
        + " px)",
        parameters_world_model=f"{chosen['parameters']['world_model']:,}",
        parameters_policy=f"{chosen['parameters']['policy']:,}",
        data="frames and forces of random episodes, made by the run; no state of the simulator is seen",
        training=f"{command}. {card['how']}" if card["how"] else command,
        commit=card["commit"],
        machine=card["machine"],
        time=f"{', '.join(f'{minutes:.0f}' for minutes in spent)} minutes for the {last}run of each seed",
        anew="No command by itself makes them anew: *training* says what led to them. This card is made with"
        if card["how"]
        else "Make them anew with the command and each seed, and this card with",
        card_command=f"python -m viewer.card RUN RUN RUN --commit COMMIT -o {folder}"
        + (" --machine MACHINE --how HOW" if card["how"] else ""),
        episodes=chosen["figures"]["episodes"],
        few=FEW,
        table=tabulate(rows(seeds), ["", *(f"seed {name}" for name in names)], "github", disable_numparse=True),
        limits=LIMITS,
    )


def training_command(run: Mapping[str, Any]) -> list[str]:
    """What begins a run like one, of any seed; those for a champion take none, and are told it by overrides."""
    begin = ["--champion", run["champion"]] if "champion" in run else ["--seed", "N"]
    command = ["python", "local_runner.py", "--preset", run["preset"], *begin]
    for name, value in run.get("overrides", {}).items():
        command += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}"]
    return command


def rows(seeds: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The table's rows: a column for each seed."""
    made = []
    for label, which, context, key, horizons in DREAM_ROWS:
        for horizon in horizons:
            cells = [_dream_cell(seed["figures"], which, context, key, horizon) for seed in seeds]
            if cells != [UNKNOWN] * len(seeds):
                made.append([f"{label}, horizon {horizon}", *cells])
    reached = [seed["figures"]["goal_reaching"] for seed in seeds]
    for label, key, unit in GOAL_ROWS:
        policies = [goals["controllers"]["policy"] for goals in reached]
        made.append([label, *(with_interval(policy[key], policy["intervals"][key], unit) for policy in policies)])
    ratios = [with_interval(goals["settle_ratio"], goals["intervals"]["settle_ratio"]) for goals in reached]
    return [*made, ["the same over the oracle's", *ratios]]


def _dream_cell(figures: Mapping[str, Any], which: str, context: int, key: str, horizon: int) -> str:
    dream = next(d for d in figures["dream"] if (d["set"], d["context"]) == (which, context))
    place = dream["horizon"].index(horizon)
    if key == "centroid_error_px":
        return with_interval(dream[key]["mean"][place], dream["intervals"]["mean"][place])
    return with_interval(dream[key][place], None) if key in dream else UNKNOWN


if __name__ == "__main__":
    sys.exit(main())
