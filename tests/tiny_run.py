"""A whole run in seconds, and one that learns, for the tests that need them: settings, command line and record."""

import json
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
RUNNER = [sys.executable, str(PROJECT / "local_runner.py")]
TINY = {
    "data.episodes": 32,
    "data.shards": 2,
    "world_model_training.autoencoder_steps": 3,
    "world_model_training.dynamics_steps": 3,
    "world_model_training.decoder_steps": 3,
    "check.episodes": 4,
    "check.largest_error": 100,
    "policy_training.steps": 3,
    "evaluation.episodes": 4,
    "evaluation.horizon": 5,
    "evaluation.timesteps": 10,
}
# A world and networks that learn in seconds.
SMALL = {
    "world.size": 16,
    "world.frames": 2,
    "world_model.maps": 8,
    "world_model.latent": 8,
    "world_model.hidden": 32,
    "world_model.rank": 6,
    "world_model.state": 16,
    "world_model.lstm": 16,
    "world_model.mlp": 32,
    "world_model.memory": 2,
    "policy.hidden": 32,
}
STAGES = ["plan", "generate-data", "generate-data", "start", "train-world-model", "check", "train-policy", "evaluate"]
STAGES += ["promote"]


def command(root, run_id, **settings):
    """The command line of a tiny run; `settings` has two underscores for the dot of a name."""
    assignments = {**TINY, **{name.replace("__", "."): value for name, value in settings.items()}}
    sets = [f"--set={name}={value}" for name, value in assignments.items()]
    return ["--preset", "smoke", *sets, "--root", str(root), "--run-id", run_id]


def run_json(folder: Path):
    """The record in a run's folder."""
    return json.loads((folder / "run.json").read_text())
