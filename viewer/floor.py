"""The evaluation's Bayes floor, on record since it takes minutes and no model changes it: python -m viewer.floor"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from models.bayes_floor import bayes_floor
from models.config import EvaluationConfig
from models.evaluation import CONTEXTS
from sim_core.episodes import random_episodes
from sim_core.world import World
from viewer.command_line import command_parser, stoppable

RECORD = Path(__file__).with_name("floor.json")
WORLD = World(raster="pixel")
SETS = ("evaluation", "as_the_original")
EXAMPLES = """\
examples:
  python -m viewer.floor
      anew into viewer/floor.json, after a change of the world or of the evaluation's episodes"""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    command_parser("viewer.floor", __doc__.partition(":")[0] + ".", EXAMPLES).parse_args(arguments)
    parts = [(which, context) for which in SETS for context in CONTEXTS]
    record = {
        "what": "mean error of the Bayes floor by horizon, px; python -m viewer.floor writes it",
        "episodes": EvaluationConfig.episodes,
        "world": asdict(WORLD),
        "dream": [
            {"set": which, "context": context, "bayes_floor_px": mean_floor(which, context, EvaluationConfig.episodes)}
            for which, context in tqdm(parts, desc="Bayes floor")
        ],
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {RECORD}")
    return 0


def mean_floor(which: str, context: int, count: int) -> list[float]:
    """The floor's mean error (px) by horizon on the first `count` episodes of a set, to a thousandth."""
    episodes = random_episodes(which, range(count), context + EvaluationConfig.horizon - 1, WORLD)
    return bayes_floor(episodes, which, context, WORLD).mean(axis=(0, 2)).round(3).tolist()


def beside_floor(dreams: Sequence[Mapping[str, Any]], world: World) -> list[dict[str, Any]]:
    """Entries of "dream", with the floor's error by horizon, `bayes_floor_px`, where it is known: in the world that it
    was recorded of."""
    record = json.loads(RECORD.read_text("utf-8"))
    if world != World(**record["world"]):
        return [dict(dream) for dream in dreams]
    floors = {(floor["set"], floor["context"]): floor["bayes_floor_px"] for floor in record["dream"]}
    beside = []
    for dream in dreams:
        floor = floors.get((dream["set"], dream["context"]))
        by_horizon = dict(enumerate(floor or (), 1))
        known = {"bayes_floor_px": [by_horizon.get(horizon) for horizon in dream["horizon"]]} if floor else {}
        beside.append({**dream, **known})
    return beside


if __name__ == "__main__":
    sys.exit(main())
