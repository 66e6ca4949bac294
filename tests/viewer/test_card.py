"""The model card, of small untrained weights: python -m pytest tests/viewer/test_card.py"""

import json

import numpy as np
import pytest
from untrained import put_weights

from sim_core.world import World
from viewer import card
from viewer.weights import load_weights, pretrained_figures


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Three finished runs with other weights each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("viewer.weights.PRETRAINED", tmp_path / "pretrained" / "coverage")
    monkeypatch.setattr(card, "FEW", 3)
    folders = [tmp_path / f"seed-{seed}" for seed in range(3)]
    for seed, folder in enumerate(folders):
        put_weights(folder)
        for part in ("world_model", "policy"):
            (folder / part / "metrics.jsonl").write_text("{}")
        artifacts = {name: {"uri": str(folder / name)} for name in ("world_model", "policy")}
        earlier = f"seed-{seed - 1}" if seed == 2 else None
        tasks = [
            {"name": "train", "seconds": 60.0 * (seed + 1), "cached_from": earlier, "artifacts": artifacts},
            {"name": "judge", "seconds": 60.0, "cached_from": None, "artifacts": {}},
        ]
        parameters = {"preset": "smoke", "seed": seed, "overrides": {"data.episodes": 64}}
        record = {"pipeline": tmp_path.name, "run_id": folder.name, "tasks": tasks, "parameters": parameters}
        (folder / "run.json").write_text(json.dumps(record))
    return folders


def test_the_best_seed_on_validation_is_shipped_and_all_are_reported(runs, tmp_path, monkeypatch):
    errors = iter([3.0, 1.0, 2.0])  # untrained weights dream nothing, and are equally bad at it
    monkeypatch.setattr(card, "dream_errors", lambda *arguments: np.full((4, card.HORIZON), next(errors)))
    shipped = tmp_path / "pretrained" / "coverage"
    assert card.main([*map(str, runs), "--commit", "abc1234", "--episodes", "4", "-o", str(shipped)]) == 0
    written = json.loads((shipped / "card.json").read_text())
    assert [seed["validation_px"] for seed in written["seeds"]] == [3, 1, 2]
    best = runs[1]
    for part in ("world_model", "policy"):
        assert (shipped / part / "weights.safetensors").read_bytes() == (
            best / part / "weights.safetensors"
        ).read_bytes()
        assert not (shipped / part / "metrics.jsonl").exists()
    assert load_weights(shipped)[3] == shipped
    assert pretrained_figures(World()) == written["figures"]
    assert (written["figures"]["episodes"], written["first"]["episodes"]) == (4, 3)

    page = (shipped / "README.md").read_text()
    assert "| seed 0 " in page
    assert "| seed 2 " in page
    assert "`python local_runner.py --preset smoke --seed N --set data.episodes=64`" in page
    assert "abc1234" in page
    assert "2, 3, 3 minutes" in page
    assert "by the least error of 4 validation dreams at horizon 10 (3.00, 1.00, 2.00 px)" in page
    assert "$" not in page


@pytest.mark.parametrize(
    ("record", "output", "said"),
    [
        (True, "out", "has no trained policy yet"),
        (False, "out", "empty has no run.json: it must be the folder of a finished run"),
        (True, "file/out", "file/out cannot be made: Not a directory"),
    ],
    ids=["a run without weights", "a folder that is no run", "an output below a file"],
)
def test_what_no_card_can_be_made_of_is_said_in_a_sentence(record, output, said, tmp_path, capsys):
    run = tmp_path / "empty"
    run.mkdir()
    (tmp_path / "file").touch()
    if record:
        (run / "run.json").write_text(json.dumps({"tasks": []}))
    with pytest.raises(SystemExit) as exit:
        card.main([str(run), "--commit", "abc1234", "-o", str(tmp_path / output)])
    assert exit.value.code == 2
    assert said in capsys.readouterr().err


def test_a_run_that_went_on_from_a_champion_is_of_the_seed_that_it_was_told(runs, tmp_path):
    overrides = {"world_model_training.seed": 2.0, "world_model_training.horizons": [2, 4, 13], "world.raster": "pixel"}
    record = json.loads((runs[0] / "run.json").read_text())
    record["parameters"] |= {"overrides": overrides, "champion": "nightly"}
    (runs[0] / "run.json").write_text(json.dumps(record))
    assert card.main([str(runs[0]), "--commit", "abc1234", "--episodes", "4", "-o", str(tmp_path / "shipped")]) == 0
    page = (tmp_path / "shipped" / "README.md").read_text()
    assert "| shipped | training seed 2 of 2, by" in page
    assert "--champion nightly --set world_model_training.seed=2.0" in page
    assert "--set 'world_model_training.horizons=[2,4,13]' --set world.raster=pixel`" in page
