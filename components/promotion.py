"""Who is champion: the weights of a run or those that it has to beat."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from components.champions import Lineage, Pointer, Weights, folder_name
from components.configuration import Configuration
from components.starting import champion_weights, pretrained_pair
from models.checkpoint import described, load_world_model
from models.comparison import Comparison, Measured, compare, measure
from models.config import WorldModelConfig
from models.policy_checkpoint import load_policy
from viewer.commit import commit
from viewer.quantities import quantity, with_interval


@dataclass(frozen=True)
class Verdict:
    """What came of a run.

    Attributes:
        promoted: whether its weights are the champion.
        said: the same in a sentence or two, with the numbers.
        comparison: with the weights that it had to beat; None if there were none.
    """

    promoted: bool
    said: str
    comparison: Comparison | None = None

    @property
    def figures(self) -> dict[str, float]:
        """For a list of runs."""
        settle = {"settle_frames_saved": self.comparison.settle.less} if self.comparison else {}
        return {"promoted": float(self.promoted), **settle}


def judge(lineage: Lineage, run_id: str, config: Configuration, weights: Weights, evaluation: Path) -> Verdict:
    """Make the weights of a run the champion of a lineage if they beat it, and say what came of it.

    As long as there is no champion they have to beat the pretrained weights of their world and world model, from which
    the run began; the first where there are none are the champion. Where another run has been promoted while this one
    was judged, it is judged anew.

    Args:
        weights, evaluation: the run's artifacts.

    Raises:
        ValueError: the champion is of another world, or cannot be used.
    """
    ours: Measured | None = None
    while True:
        before = lineage.pointer()
        name = folder_name(before.number + 1, run_id, weights)
        if before.champion.partition("-")[2] == name.partition("-")[2]:  # a try before this one had got so far
            return Verdict(True, f"{lineage.name}: {before.champion} is the champion already.")
        with _rival(lineage, before, config) as (rival, theirs):
            comparison = None
            if theirs:
                ours = ours or _measured(weights, config)
                comparison = compare(ours, _measured(theirs, config), config.evaluation)
        if comparison and not comparison.won:
            stays = f"{lineage.name}: {rival} {'stays the champion' if before.champion else 'is not beaten'}."
            return Verdict(False, f"{stays} Compared with it, {run_id} {_compared(comparison)}.", comparison)
        against = {"rival": rival, **asdict(comparison)} if comparison else None
        origin = {"run_id": run_id, "commit": commit(), "configuration": asdict(config), "judged": against}
        lineage.add(name, weights, evaluation, origin)
        if lineage.crown(name, before):
            why = f"Compared with {rival}, it {_compared(comparison)}." if comparison else "There was none to beat."
            return Verdict(True, f"{lineage.name}: {name} is the champion now. {why}", comparison)
        print("  another run was promoted meanwhile: judging anew, against that one", file=sys.stderr)


@contextmanager
def _rival(lineage: Lineage, pointer: Pointer, config: Configuration) -> Iterator[tuple[str, Weights | None]]:
    """Who is to be beaten, by name, and the weights, as long as the block lasts."""
    with tempfile.TemporaryDirectory() as scratch:
        if pointer.champion:
            yield pointer.champion, champion_weights(lineage, pointer.champion, config.world, Path(scratch))
        elif (pretrained := pretrained_pair(config.world)) and _began_from(pretrained[1], config):
            yield pretrained
        else:
            yield "", None


def _began_from(weights: Weights, config: Configuration) -> bool:
    """Whether a run of the configuration begins from the weights: others it would have to beat from nothing."""
    return described(weights.world_model, "world_model", WorldModelConfig) == config.world_model


def _measured(weights: Weights, config: Configuration) -> Measured:
    model = load_world_model(weights.world_model)
    return measure(model, load_policy(weights.policy, model.config), config.world, config.evaluation)


def _compared(comparison: Comparison) -> str:
    settle = comparison.settle
    luck = ", which may be luck" if settle.less > 0 and not comparison.faster else ""
    worse = [
        f"at horizon {horizon} by {_by(-dream.less, -dream.high, -dream.low)} px"
        for horizon, dream in comparison.dream.items()
        if horizon in comparison.worse_dreams
    ]
    dreams = f"dreams worse: {', '.join(worse)}" if worse else "dreams no worse"
    sooner = (
        f"sooner by {_by(settle.less, settle.low, settle.high)}"
        if settle.less >= 0
        else f"later by {_by(-settle.less, -settle.high, -settle.low)}"
    )
    return f"settles after {quantity(settle.challenger)} frames, {sooner}{luck}, and {dreams}"


def _by(difference: float, low: float, high: float) -> str:
    return with_interval(difference, [low, high])
