"""What the trainings of a run begin from: the champion's weights, else the pretrained ones, else nothing."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components import storage
from components.champions import Lineage, Weights
from components.configuration import from_dict
from models.checkpoint import DESCRIPTION, WEIGHTS, described, load_world
from models.config import PolicyConfig, WorldModelConfig
from sim_core.world import World
from viewer.weights import pretrained_weights

ORIGIN = "start.json"  # says where the weights beside it are from


def write_start(start: dict[str, Any], output: str, world_model: str, policy: str) -> str:
    """Write the weights to begin from as artifacts at two paths; without any they hold no more than that.

    Args:
        start: {} for a run without a champion, else its name, and the world and architectures of the run.
        output: the URI of one of the step's outputs.

    Returns:
        Where they are from, for people.

    Raises:
        ValueError: the champion is of another world, or cannot be used.
    """
    model, pilot, said, others = None, None, "nothing", list[str]()
    with tempfile.TemporaryDirectory() as scratch:
        for origin, weights in _candidates(start, output, Path(scratch)):
            if described(weights.world_model, "world_model", WorldModelConfig) == _wanted(start, "world_model"):
                model, said = weights.world_model, origin
                if described(weights.policy, "policy", PolicyConfig) == _wanted(start, "policy"):
                    pilot = weights.policy
                else:
                    said += ", the policy from nothing: its architecture is another"
                break
            others.append(origin)
            said = f"nothing: the networks of {' and '.join(others)} are others"
        for path, source in ((world_model, model), (policy, pilot)):
            with storage.writing(path) as folder:
                if source:
                    for name in (WEIGHTS, DESCRIPTION):
                        shutil.copy(source / name, folder / name)
                (folder / ORIGIN).write_text(json.dumps({"from": said if source else "nothing"}))
    return said


def champion_weights(lineage: Lineage, champion: str, world: World, folder: Path) -> Weights:
    """The weights of a champion, brought into an existing folder. Raises a ValueError if it is of another world."""
    weights = lineage.fetch(champion, folder)
    theirs, ours = load_world(weights.world_model), world
    for name in World.__dataclass_fields__:
        if getattr(theirs, name) != getattr(ours, name):
            raise ValueError(
                f"the champion {lineage.name} is of a world with {name} {getattr(theirs, name)}, but that of this run "
                f"has {name} {getattr(ours, name)}: name another champion"
            )
    return weights


def pretrained_pair(world: World) -> tuple[str, Weights] | None:
    """The pretrained weights of a world, after what they are called; None where there are none."""
    if folder := pretrained_weights(world):
        return f"pretrained/{folder.name}", Weights(*(folder / part for part in Weights._fields))
    return None


def _candidates(start: dict[str, Any], output: str, scratch: Path) -> Iterator[tuple[str, Weights]]:
    if not start:
        return
    world, lineage = from_dict(World, start["world"]), Lineage(start["champion"], output)
    if champion := lineage.pointer().champion:
        yield storage.join(lineage.uri, champion), champion_weights(lineage, champion, world, scratch)
    if pretrained := pretrained_pair(world):
        yield pretrained


def _wanted(start: dict[str, Any], part: str) -> Any:
    return from_dict({"world_model": WorldModelConfig, "policy": PolicyConfig}[part], start[part])
