"""Every component runs as the cluster runs it: the command and the source out of the compiled pipeline, a process each.

python -m pytest tests/components/test_components.py
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from cluster import Cluster, whole_run
from kfp import dsl
from tiny_run import TINY

from components.check import check
from components.evaluate import evaluate
from components.generate_data import generate_data
from components.plan import plan
from components.promote import promote
from components.start import start
from components.storage import MANIFEST, verified, writing
from components.train_policy import train_policy
from components.train_world_model import train_world_model
from models.checkpoint import load_world_model
from models.training import TrainingError


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """What the components put out, from the plan to the report: parameters of the plan, and all artifacts' paths."""
    return whole_run(Cluster(tmp_path_factory.mktemp("cluster")), "smoke", 1, TINY)


def test_every_component_of_the_pipeline_is_tried_here(made):
    ours = (plan, start, generate_data, train_world_model, check, train_policy, evaluate, promote)
    assert {task.name for task in ours} == {
        name.removeprefix("exec-")
        for name in yaml.safe_load((made[1]["episodes"][0].parents[4] / "pipeline.yaml").read_text())["deploymentSpec"][
            "executors"
        ]
    }


def test_the_artifacts_are_whole(made):
    _, paths = made
    expected = {
        "world_model": {"weights.safetensors", "model.json", "metrics.jsonl"},
        "policy": {"weights.safetensors", "model.json", "metrics.jsonl"},
        "evaluation": {"evaluation.json", "model.gif", "policy.gif", "report.html"},
        "initial_world_model": {"start.json"},
        "initial_policy": {"start.json"},
    }
    for name, files in expected.items():
        assert {file.name for file in verified(paths[name]).iterdir()} == files | {MANIFEST}
    for shard in paths["episodes"]:
        assert {file.name for file in verified(shard).iterdir()} == {"frames.npy", "forces.npy", "world.json", MANIFEST}


def test_the_learners_are_given_frames_and_forces_and_no_true_state(made):
    _, paths = made
    for shard in paths["episodes"]:
        assert sorted(file.name for file in shard.glob("*.npy")) == ["forces.npy", "frames.npy"]
        assert np.load(shard / "frames.npy").shape == (16, 17, 4, 32, 32)
        assert np.load(shard / "forces.npy").shape == (16, 17, 2)


def test_each_stage_is_told_only_what_it_depends_on():
    def told(overrides):
        outputs = plan.python_func("smoke", 1, {**TINY, **overrides})
        return dict(zip(plan.component_spec.outputs, outputs, strict=True))

    def changed(**overrides):
        before, after = told({}), told({name.replace("__", "."): value for name, value in overrides.items()})
        return {stage for stage in before if before[stage] != after[stage]}

    # The whole configuration is for the evaluation, which reports it and is never taken from a cache.
    assert changed(policy_training__steps=4) == {"policy", "configuration"}
    assert changed(evaluation__episodes=5) == {"configuration"}
    assert changed(check__episodes=5) == {"check", "configuration"}
    assert changed(world_model_training__dynamics_steps=4) == {"world_model", "configuration"}
    assert changed(data__timesteps=17) == {"shards", "configuration"}
    assert changed(data__endless=True) == {"world_model", "configuration"}


def test_endless_data_teach_the_dynamics_alone(made, tmp_path):
    planned, paths = made
    endless = plan.python_func("smoke", 1, {**TINY, "data.endless": True, "data.original_share": 0.5})
    config = dict(zip(plan.component_spec.outputs, endless, strict=True))["world_model"]
    assert config["endless"] == {
        "world": planned["configuration"]["world"],
        "seed": 1,
        "original_share": 0.5,
        "first": TINY["data.episodes"],
    }
    shards, weights = [given(shard) for shard in paths["episodes"]], tmp_path / "dreamblock/run/train/0/weights"
    train_world_model.python_func(config, shards, given(paths["initial_world_model"]), given(weights))
    before, after = (load_world_model(path).state_dict() for path in (paths["world_model"], weights))
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("encoder.")} <= same
    assert not {name for name in before if name.startswith("core.") and name.endswith("weight")} & same


def test_a_plan_of_a_pipeline_that_was_compiled_before_there_was_endless_data_is_refused(made, tmp_path):
    planned, paths = made
    old = {name: value for name, value in planned["world_model"].items() if name != "endless"}
    shards = [given(shard) for shard in paths["episodes"]]
    with pytest.raises(ValueError, match=r"^the pipeline was compiled by an older version of this project"):
        train_world_model.python_func(old, shards, given(paths["initial_world_model"]), given(tmp_path / "a/b/c"))


def test_the_command_that_promotes_makes_the_first_run_champion(made):
    planned, paths = made
    cluster = Cluster(paths["evaluation"].parents[4])
    weights = {name: [paths[name]] for name in ("world_model", "policy", "evaluation")}
    nothing_pretrained = {**planned["configuration"]["world"], "drag": 0.02}
    configuration = {**planned["configuration"], "world": nothing_pretrained}
    parameters = {"configuration": configuration, "champion": "nightly", "run_id": "tiny"}
    _, put_out = cluster.run("promote", parameters, weights, "for-a-champion")
    (champion,) = (path for path in (cluster.folder / "champions" / "nightly").iterdir() if path.is_dir())
    assert verified(champion)
    assert put_out["verdict"].read_text().startswith(f"nightly: {champion.name} is the champion now.")
    assert paths["verdict"].read_text() == "No champion was named, and nothing is promoted.\n"


def test_a_mistyped_run_to_start_from_is_refused_before_a_training_waits_for_its_gpu(made, tmp_path):
    output = tmp_path / "dreamblock" / "second" / "start" / "0" / "weights"
    (tmp_path / "dreamblock" / "first").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"^there is no run 'frist' in .*dreamblock to start from$"):
        start.python_func({}, given(output), given(output), "frist")
    start.python_func({}, given(output), given(output), "first")
    assert verified(output)
    written = made[1]["episodes"][0].parents[4] / "pipeline.yaml"
    steps = next(yaml.safe_load_all(written.read_text()))["root"]["dag"]["tasks"]
    assert steps["start"]["inputs"]["parameters"]["start_from"] == {"componentInputParameter": "start_from"}


def given(path):
    return dsl.Artifact(name=path.name, uri=str(path), metadata={})


def test_a_dataset_of_another_worlds_size_is_refused(made, tmp_path):
    planned, paths = made
    config = {**planned["world_model"], "world_model": {**planned["world_model"]["world_model"], "size": 24}}
    shards = [given(shard) for shard in paths["episodes"]]
    with pytest.raises(ValueError, match="the dataset's world has size 32, the world model is for size 24"):
        train_world_model.python_func(config, shards, given(paths["initial_world_model"]), given(tmp_path / "a/b/c"))


def test_a_truncated_shard_is_refused_by_name(made, tmp_path):
    planned, paths = made
    shard = Path(shutil.copytree(paths["episodes"][0], tmp_path / "shard"))
    os.truncate(shard / "frames.npy", 1000)
    first = given(paths["initial_world_model"])
    with pytest.raises(ValueError, match=r"the artifact .*/shard is not whole: frames.npy has 1000 bytes"):
        train_world_model.python_func(planned["world_model"], [given(shard)], first, given(tmp_path / "a/b/c"))
    assert not (tmp_path / "a").exists()


def test_a_policy_of_another_architecture_is_refused(made, tmp_path):
    planned, paths = made
    with writing(tmp_path / "policy") as folder:
        for file in paths["policy"].iterdir():
            if file.name != MANIFEST:
                shutil.copy(file, folder)
        text = (folder / "model.json").read_text()
        assert '"memory": 4' in text
        (folder / "model.json").write_text(text.replace('"memory": 4', '"memory": 3'))
    outputs = [given(tmp_path / name) for name in ("evaluation", "report", "metrics")]
    with pytest.raises(ValueError, match="belongs to a world model with memory 3, but this world model has memory 4"):
        evaluate.python_func(
            planned["configuration"], "tiny", given(paths["world_model"]), given(tmp_path / "policy"), *outputs
        )
    assert [file.name for file in tmp_path.iterdir()] == ["policy"]


def test_the_report_compares_the_run_with_the_pretrained_weights_of_its_world(made, tmp_path, monkeypatch):
    planned, paths = made
    monkeypatch.setattr("viewer.weights.PRETRAINED", tmp_path / "nothing")
    outputs = [given(tmp_path / "evaluation"), given(tmp_path / "report"), dsl.Metrics(uri=str(tmp_path / "metrics"))]
    evaluate.python_func(
        planned["configuration"], "tiny", given(paths["world_model"]), given(paths["policy"]), *outputs
    )
    assert "the pretrained weights</th>" in paths["report"].read_text()
    assert "the pretrained weights" not in (tmp_path / "report").read_text(), "where there are none"


def test_a_world_model_is_judged_at_the_horizon_and_not_on_the_way_there(made, tmp_path, monkeypatch):
    planned, paths = made
    monkeypatch.setattr("models.dream_figures.dream_errors", lambda *_: np.array([[0.0, 0.0, 0.0, 0.0, 9.0]] * 2))
    config = {**planned["check"], "check": {"episodes": 2, "horizon": 5, "largest_error": 5.0}}
    with pytest.raises(TrainingError, match=r"its dream is off by 9\.00 px at horizon 5, at most 5 are allowed"):
        check.python_func(config, given(paths["world_model"]), dsl.Metrics(uri=str(tmp_path / "metrics")))


def test_a_world_model_that_is_too_poor_fails_the_check_with_number_and_bound(made, tmp_path):
    planned, paths = made
    config = {**planned["check"], "check": {**planned["check"]["check"], "largest_error": 2.5}}
    with pytest.raises(TrainingError, match=r"off by \d+\.\d\d px at horizon 5, at most 2.5 are allowed"):
        check.python_func(config, given(paths["world_model"]), dsl.Metrics(uri=str(tmp_path / "metrics")))
