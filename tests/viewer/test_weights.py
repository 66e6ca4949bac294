"""Where the weights and their figures lie that are looked at: python -m pytest tests/viewer/test_weights.py"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from untrained import put_run, put_weights

from sim_core.world import World
from viewer.weights import load_weights, pretrained_figures, pretrained_weights, weights_in

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("viewer.weights.PRETRAINED", tmp_path / "pretrained" / "coverage")


def test_without_pretrained_weights_the_newest_run_that_has_weights_is_shown(tmp_path):
    runs = tmp_path / "runs" / "dreamblock"
    put_run(runs / "older", raster="coverage", age=20)
    put_run(runs / "newer", raster="pixel", age=10)
    (runs / "failed").mkdir()
    (runs / "failed" / "run.json").write_text('{"pipeline": "dreamblock", "run_id": "failed", "tasks": []}')
    *_, world, found = load_weights(None)
    assert (world.raster, found.name) == ("pixel", "newer")


def test_pretrained_weights_come_before_any_run(tmp_path):
    put_run(tmp_path / "runs" / "dreamblock" / "first", raster="pixel")
    put_weights(tmp_path / "pretrained" / "coverage")
    *_, world, found = load_weights(None)
    assert (world.raster, found) == ("coverage", tmp_path / "pretrained" / "coverage")


def test_a_run_is_named_by_its_folder_its_id_or_as_in_the_list(tmp_path):
    run = put_run(tmp_path / "runs" / "dreamblock" / "first")
    for name in (run, "runs/dreamblock/first", "first", "dreamblock/first"):
        assert load_weights(Path(name))[3].samefile(run)
    put_run(tmp_path / "first", raster="pixel")
    assert load_weights(Path("first"))[2].raster == "pixel", "a folder here comes first"


def test_a_run_that_does_not_exist_is_answered_with_the_nearest(tmp_path):
    for name in ("2026-11-23-143005-1f0a", "first"):
        put_run(tmp_path / "runs" / "dreamblock" / name)
    for name in ("2026-11-23-143005-1f0b", "dreamblock/2026-11-23-14300"):
        with pytest.raises(ValueError, match="no such run in runs/dreamblock, the nearest is '2026-11-23-143005-1f0a'"):
            load_weights(Path(name))


@pytest.mark.parametrize("move", [shutil.copytree, shutil.move])
def test_a_run_that_was_copied_or_moved_shows_its_own_weights(tmp_path, move):
    original, copy = put_run(tmp_path / "runs" / "dreamblock" / "first"), tmp_path / "elsewhere" / "renamed"
    move(original, copy)
    assert weights_in(copy) == {name: copy / "learned" / name for name in ("world_model", "policy")}
    shutil.rmtree(copy / "learned")
    assert weights_in(copy) is None, "whatever is left of the original"


def test_weights_that_a_run_took_from_another_are_where_its_record_says(tmp_path):
    other, run = (put_run(tmp_path / "runs" / "dreamblock" / name) for name in ("other", "first"))
    record = json.loads((run / "run.json").read_text())
    taken = other / "learned" / "world_model"
    record["tasks"][0]["artifacts"]["world_model"]["uri"] = str(taken)
    (run / "run.json").write_text(json.dumps(record))
    shutil.move(run, tmp_path / "moved")
    assert weights_in(tmp_path / "moved") == {"world_model": taken, "policy": tmp_path / "moved" / "learned" / "policy"}


def test_the_pretrained_weights_are_found_wherever_one_stands(tmp_path):
    code = "from sim_core.world import World; from viewer.weights import pretrained_weights; "
    command = [sys.executable, "-c", f"{code}print(pretrained_weights(World()))"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    said = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    assert said == f"{PROJECT / 'pretrained' / 'coverage'}\n"


def test_the_pretrained_figures_are_those_of_the_same_world(tmp_path):
    folder = tmp_path / "pretrained" / "pixel"
    assert pretrained_figures(World(raster="pixel")) is None
    put_weights(folder, raster="pixel")
    assert pretrained_figures(World(raster="pixel")) is None, "there is no card yet"
    (folder / "card.json").write_text(json.dumps({"figures": {"episodes": 1000}}))
    assert pretrained_figures(World(raster="pixel")) == {"episodes": 1000}
    assert pretrained_figures(World()) is None
    assert pretrained_figures(replace(World(raster="pixel"), drag=0.02)) is None


def test_pretrained_weights_are_for_their_world_alone(tmp_path):
    put_weights(tmp_path / "pretrained" / "pixel", raster="pixel")
    assert pretrained_weights(World(raster="pixel")) == tmp_path / "pretrained" / "pixel"
    assert pretrained_weights(World(raster="pixel", drag=0.02)) is None
    assert pretrained_weights(World()) is None
