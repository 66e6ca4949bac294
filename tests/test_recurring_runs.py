"""Recurring runs for a champion, with real trainings: python -m pytest -m long tests/test_recurring_runs.py -s

Their seeds, which the clock would give, were fixed before.
"""

import json
from pathlib import Path

import pytest
from tiny_run import SMALL, TINY

from components import storage
from components.champions import POINTER
from local_runner import main

pytestmark = pytest.mark.long

SEEDS = (101, 102, 103, 104)
SETTINGS = {
    **TINY,
    **SMALL,  # in which nothing is pretrained
    "data.episodes": 384,
    "data.timesteps": 9,
    "world_model_training.autoencoder_steps": 300,
    "world_model_training.dynamics_steps": 300,
    "world_model_training.dynamics_batch": 128,
    "world_model_training.decoder_steps": 100,
    "world_model_training.horizons": "[2,4,6]",
    "world_model_training.average": 0.98,
    "policy_training.steps": 200,
    "policy_training.rate": 0.02,
    "policy_training.horizon": 6,
    "policy_training.average": 0.98,
    "evaluation.episodes": 100,
    "evaluation.timesteps": 50,
}
# A policy that is hardly trained, and of another architecture, for which nothing is taken from the champion's.
WORSE = {
    "world_model_training.autoencoder_steps": 10,
    "world_model_training.dynamics_steps": 10,
    "world_model_training.decoder_steps": 5,
    "policy.hidden": 8,
    "policy_training.steps": 5,
}


class Recurring:
    """Runs for one champion, one after the other, in an empty folder."""

    def __init__(self, root: Path):
        self.root = root
        self.folder = root / "champions" / "nightly"

    def run(self, run_id, **settings):
        """The metrics of the promotion, who is champion after it, and the folders of what was begun from."""
        assignments = [f"--set={name}={value}" for name, value in {**SETTINGS, **settings}.items()]
        arguments = ["--preset", "smoke", "--champion", "nightly", "--root", str(self.root), "--run-id", run_id]
        assert main([*arguments, *assignments]) == 0
        record = json.loads((self.root / "dreamblock" / run_id / "run.json").read_text())
        (promoted,) = (task["metrics"] for task in record["tasks"] if task["name"] == "promote")
        (begun,) = (task["artifacts"] for task in record["tasks"] if task["name"] == "start")
        return promoted, self.champion(), {name: Path(artifact["uri"]) for name, artifact in begun.items()}

    def champion(self):
        return json.loads((self.folder / POINTER).read_text())["champion"]

    def settle(self, champion):
        """Frames that a champion takes to settle, by the evaluation that is kept with it."""
        figures = json.loads((self.folder / champion / "evaluation.json").read_text())
        return figures["goal_reaching"]["controllers"]["policy"]["settle_frames_mean"]


def test_three_runs_go_on_from_the_champion_are_promoted_if_better_and_a_worse_one_never_is(
    tmp_path, monkeypatch, capsys
):
    seeds = iter(SEEDS)
    monkeypatch.setattr("components.champions.fresh_seed", lambda: next(seeds))
    recurring, told = Recurring(tmp_path / "root"), []

    champions, before = [], ""
    for number in (1, 2, 3):
        promoted, champion, begun = recurring.run(f"run-{number}")
        said = capsys.readouterr().out
        told += [line for line in said.splitlines() if line.startswith("nightly: ")]
        if before:
            for part in ("world_model", "policy"):
                kept = recurring.folder / before / f"{part}.weights.safetensors"
                first = begun[f"initial_{part}"] / "weights.safetensors"
                assert first.read_bytes() == kept.read_bytes(), "it begins from who was champion"
            assert (champion != before) == bool(promoted["promoted"]) == (f"run-{number}" in champion)
        else:
            assert (promoted, champion[:10]) == ({"promoted": 1}, "0001-run-1")
        champions.append(champion)
        before = champion
    assert champions[2] != champions[0], "what was trained for seconds becomes better by further seconds"
    settle = [recurring.settle(champion) for champion in champions]
    assert settle == sorted(settle, reverse=True), "no champion is slower than the one before it"

    promoted, champion, _ = recurring.run("worse", **WORSE)
    told += [line for line in capsys.readouterr().out.splitlines() if line.startswith("nightly: ")]
    assert (promoted["promoted"], champion) == (0, before)
    assert promoted["settle_frames_saved"] < -10, "it is worse indeed"
    assert f"nightly: {before} stays the champion" in told[-1]
    print("\n".join(told))

    shards = [next((tmp_path / "root").glob(f"dreamblock/run-{n}/generate-data/0/episodes/frames.npy")) for n in (1, 2)]
    assert shards[0].read_bytes() != shards[1].read_bytes(), "each has data of its own"
    runs = [argument for number in (1, 2, 3) for argument in ("--prune", f"run-{number}")]
    assert main([*runs, "--prune", "worse", "--root", str(tmp_path / "root")]) == 0
    assert storage.whole(str(recurring.folder / recurring.champion())), "a champion needs no run any more"
