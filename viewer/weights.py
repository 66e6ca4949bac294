"""Where the weights lie that are looked at: those of a run, or the pretrained ones."""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from models.checkpoint import load_world, load_world_model
from models.policy import Policy
from models.policy_checkpoint import load_policy
from models.world_model import WorldModel
from sim_core.world import World

PRETRAINED = Path(__file__).parents[1] / "pretrained" / "coverage"  # the project's, wherever one stands
RUNS = Path("runs/dreamblock")
NEEDED = ("world_model", "policy")


def load_weights(run: Path | None) -> tuple[WorldModel, Policy, World, Path]:
    """The world model, the policy, the world that they learned in, and the folder in which they were found.

    Without a run the pretrained ones or, while there are none, those of the newest run that has both.

    Raises:
        ValueError: there are no such weights; one sentence says what to do.
    """
    folder, weights = _find(run)
    model = load_world_model(weights["world_model"])
    return model, load_policy(weights["policy"], model.config), load_world(weights["world_model"]), folder


def pretrained_figures(world: World) -> dict[str, Any] | None:
    """The figures on the card of the weights that were pretrained in a world; None while there are none."""
    folder = PRETRAINED.with_name(world.raster)
    card = folder / "card.json"
    if not card.is_file() or load_world(folder / "world_model") != world:
        return None
    return json.loads(card.read_text("utf-8"))["figures"]


def pretrained_commit() -> str:
    """The commit with which the weights in `PRETRAINED` were trained, as their card says."""
    return json.loads((PRETRAINED / "card.json").read_text("utf-8"))["commit"]


def pretrained_weights(world: World) -> Path | None:
    """The folder of the weights that were pretrained in a world, `world_model` and `policy`; None while there are
    none."""
    folder = PRETRAINED.with_name(world.raster)
    return folder if weights_in(folder) and load_world(folder / "world_model") == world else None


def run_folder(run: Path) -> Path:
    """The folder of a run, which is named by it or, below `runs/`, by its id or as `local_runner.py --list` has it.

    Raises:
        ValueError: there is none; the nearest id.
    """
    for folder in (run, RUNS / run, RUNS.parent / run):
        if folder.is_dir():
            return folder
    known = sorted(record.parent.name for record in RUNS.glob("*/run.json"))
    if not known:
        raise ValueError(f"there is no folder {run}; a run's is {RUNS}/<run id>")
    (nearest,) = get_close_matches(run.name, known, n=1, cutoff=0)
    raise ValueError(f"there is no folder {run} and no such run in {RUNS}, the nearest is {nearest!r}")


def _find(run: Path | None) -> tuple[Path, dict[str, Path]]:
    if run is not None:
        folder = run_folder(run)
        named = weights_in(folder)
        if named is None:
            raise ValueError(f"the run in {folder} has no trained policy yet, or is not a run of this pipeline")
        return folder, named
    for folder in (PRETRAINED, *sorted(RUNS.glob("*/"), key=lambda folder: folder.stat().st_mtime, reverse=True)):
        if weights := weights_in(folder):
            return folder, weights
    raise ValueError(
        f"there are no weights in {PRETRAINED} and no run with a trained policy in {RUNS}; make run trains some"
    )


def weights_in(folder: Path) -> dict[str, Path] | None:
    """The weights in a folder: of a run as its `run.json` says, else each in a folder of its own; None without both.

    A run may have been copied or moved since: what it has made itself is looked for in `folder`, and only what it took
    from another run where its record says.
    """
    weights = {name: folder / name for name in NEEDED}
    record = folder / "run.json"
    if record.is_file():
        try:
            run = json.loads(record.read_text(encoding="utf-8"))
            artifacts = {name: facts for task in run["tasks"] for name, facts in task["artifacts"].items()}
            uris = {name: artifacts[name]["uri"] for name in NEEDED if name in artifacts}
            weights = {name: _place(uri, folder, run["pipeline"], run["run_id"]) for name, uri in uris.items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{record} is not the record of a run: {error!r}") from error
    return weights if len(weights) == len(NEEDED) and all(path.is_dir() for path in weights.values()) else None


def _place(uri: str, folder: Path, pipeline: str, run_id: str) -> Path:
    """Where an artifact of the run in a folder lies. Its own have URIs of the form `<root>/<pipeline>/<run id>/...`."""
    _, made_here, within = uri.rpartition(f"/{pipeline}/{run_id}/")
    return folder / within if made_here else Path(uri)
