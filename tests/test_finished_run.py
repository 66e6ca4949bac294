"""What a run leaves behind and says at its end, down to the report: python -m pytest tests/test_finished_run.py"""

import json
import os
import re
import subprocess
from datetime import datetime

import imageio.v3 as imageio
import pytest
from tiny_run import RUNNER, STAGES, TINY, command, run_json

from components.storage import MANIFEST, verified
from local_runner import main, parser, set_environment
from pipelines.compile import main as compile_pipeline
from viewer.quantities import quantity

FIGURES = {
    *("final_px_mean", "final_px_median", "within_1px", "within_2px", "held_1px", "held_2px"),
    *("settled", "settle_frames_mean", "settle_frames_median", "settle_frames_p95"),
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A tiny run, by the folder that it is told, from another working directory: what it said, and its folder."""
    root = tmp_path_factory.mktemp("finished")
    browser = root / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {root}/opened\n')
    browser.chmod(0o755)
    environment = {**os.environ, "BROWSER": str(browser), "DREAMBLOCK_COMMIT": "1f0a9c2"}
    started = [*RUNNER, *command("some/where", "first"), "--open"]
    done = subprocess.run(started, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done, root / "some" / "where" / "dreamblock" / "first"


def test_every_artifact_lies_in_its_place_and_is_whole(finished):
    _, folder = finished
    weights = {"weights.safetensors", "model.json", "metrics.jsonl"}
    shard = {"frames.npy", "forces.npy", "world.json"}
    expected = {
        "generate-data/0/episodes": shard,
        "generate-data/1/episodes": shard,
        "start/0/initial_world_model": {"start.json"},
        "start/0/initial_policy": {"start.json"},
        "train-world-model/0/world_model": weights,
        "train-policy/0/policy": weights,
        "evaluate/0/evaluation": {"evaluation.json", "model.gif", "policy.gif", "report.html"},
    }
    assert {str(path.parent.relative_to(folder)) for path in folder.rglob(MANIFEST)} == set(expected)
    for place, files in expected.items():
        assert {file.name for file in verified(folder / place).iterdir()} == files | {MANIFEST}
    for task in ("train-world-model", "train-policy"):
        assert (folder / "checkpoints" / task / "training.safetensors").exists()
    assert not list(folder.rglob("*incoming*"))


def test_run_json_says_what_was_done(finished):
    _, folder = finished
    record = run_json(folder)
    assert set(record) == {
        *("schema", "pipeline", "run_id", "state", "started", "seconds", "threads", "parameters", "attempt", "tasks"),
    }
    assert (record["schema"], record["pipeline"], record["run_id"]) == (1, "dreamblock", "first")
    assert (record["state"], record["threads"]) == ("SUCCEEDED", 1)
    given = {"preset": "smoke", "seed": 0, "overrides": TINY}
    assert record["parameters"] == {**given, "start_from": "", "champion": "", "gpu_type": "", "gpus": 0}
    assert datetime.fromisoformat(record["started"]).tzinfo
    assert [task["name"] for task in record["tasks"]] == STAGES
    for task in record["tasks"]:
        assert set(task) == {
            *("name", "execution", "state", "seconds", "cpu_seconds", "cached_from"),
            *("parameters", "artifacts", "metrics", "error"),
        }
        assert (task["state"], task["cached_from"], task["error"]) == ("SUCCEEDED", None, None)
        for artifact in task["artifacts"].values():
            assert set(artifact) == {"type", "uri"}
            assert artifact["uri"].startswith(f"{folder}/{task['name']}/{task['execution']}/")
    assert record["tasks"][2]["execution"] == "1"


def test_the_runner_itself_costs_less_than_50_ms_a_step(finished):
    _, folder = finished
    record = run_json(folder)
    own = record["seconds"] - sum(task["seconds"] for task in record["tasks"])
    assert own / len(record["tasks"]) < 0.05


def test_evaluation_json_has_every_figure(finished):
    _, folder = finished
    evaluation = json.loads((folder / "evaluate" / "0" / "evaluation" / "evaluation.json").read_text())
    assert {name: evaluation[name] for name in ("schema", "raster", "episodes")} == {
        "schema": 1,
        "raster": "coverage",
        "episodes": 4,
    }
    assert isinstance(evaluation["seed"], int)
    entries = [(dream["set"], dream["context"]) for dream in evaluation["dream"]]
    assert {("evaluation", 1), ("evaluation", 3), ("as_the_original", 1)} <= set(entries)
    for dream in evaluation["dream"]:
        assert dream["horizon"] == [1, 2, 3, 4, 5]
        series = [dream["centroid_error_px"][name] for name in ("mean", "median", "p95")]
        for figures in (*series, dream["iou"], dream["copy_last_px"]):
            assert len(figures) == 5
            assert all(figure >= 0 for figure in figures)
        assert len(dream["precision_px"]) == 5
    goals = evaluation["goal_reaching"]
    assert goals["timesteps"] == 10
    assert set(goals["controllers"]) == {"policy", "oracle", "zero_force", "random_force"}
    for figures in goals["controllers"].values():
        assert set(figures) >= FIGURES
    controllers = goals["controllers"]
    ratio = controllers["policy"]["settle_frames_mean"] / controllers["oracle"]["settle_frames_mean"]
    assert goals["settle_ratio"] == pytest.approx(ratio)
    assert controllers["oracle"]["final_px_mean"] < controllers["zero_force"]["final_px_mean"]


def test_the_films_move_for_as_long_as_what_they_show(finished):
    _, folder = finished
    for name, timesteps in (("model", 3 + 5), ("policy", 1 + 10)):
        film = imageio.imread(folder / "evaluate" / "0" / "evaluation" / f"{name}.gif")
        assert len(film) == 4 * timesteps
        assert (film[0] != film[-1]).any()


def test_the_report_stands_alone_and_is_the_html_artifact_too(finished):
    _, folder = finished
    report = (folder / "evaluate" / "0" / "evaluation" / "report.html").read_text()
    assert (folder / "evaluate" / "0" / "report").read_text() == report
    assert report.count("data:image/gif;base64,") == 2 + 3 + 3, "two films, the worst dreams and the worst goals"
    assert not re.search(r"""(src|href)=["']?(https?:|/|\.)""", report)
    assert re.search(r"<title>.*first.*</title>", report)
    assert len(report.encode()) < 4_000_000


def test_the_report_says_what_was_run(finished):
    _, folder = finished
    report = (folder / "evaluate" / "0" / "evaluation" / "report.html").read_text()
    assert "policy_training" in report.replace(" ", "_"), "the configuration is in it"
    assert "1f0a9c2" in report
    record = run_json(folder)
    assert record["started"][:16].replace("T", " ") in report
    for task in record["tasks"][:-2]:
        assert f"{task['name']}/{task['execution']}</th><td>{task['seconds']:.1f} s</td>" in report
    for place in ("train-world-model/0/world_model", "train-policy/0/policy", "evaluate/0/evaluation"):
        assert f"<td>{folder / place}</td>" in report


def test_the_report_is_opened_in_the_browser_when_that_is_asked_for(finished):
    _, folder = finished
    report = folder / "evaluate" / "0" / "evaluation" / "report.html"
    assert (folder.parents[3] / "opened").read_text() == f"{report.as_uri()}\n"


def test_the_figures_are_metrics_of_the_run(finished):
    _, folder = finished
    evaluation = json.loads((folder / "evaluate" / "0" / "evaluation" / "evaluation.json").read_text())
    dream = next(d for d in evaluation["dream"] if (d["set"], d["context"]) == ("evaluation", 3))
    metrics = {task["name"]: task["metrics"] for task in run_json(folder)["tasks"]}
    assert metrics["evaluate"]["dream_h5_px"] == dream["centroid_error_px"]["mean"][4]
    assert metrics["evaluate"]["settle_ratio"] == evaluation["goal_reaching"]["settle_ratio"]
    policy = evaluation["goal_reaching"]["controllers"]["policy"]
    for name in ("final_px_mean", "settled", "settle_frames_mean"):
        assert metrics["evaluate"][name] == policy[name]
    assert "dream_h10_px" not in metrics["evaluate"], "dreams were only 5 timesteps long"
    assert set(metrics["check"]) == {"dream_h5_px"}


def test_the_end_is_a_table_of_steps_the_figures_and_where_the_films_are(finished):
    done, folder = finished
    record = run_json(folder)
    lines = done.stdout.splitlines()
    for task in record["tasks"]:
        (line,) = (line for line in lines if line.startswith(f"{task['name']}/{task['execution']} "))
        assert line.split()[1:] == ["succeeded", f"{task['seconds']:.1f}", f"{task['cpu_seconds']:.1f}"]
    evaluation = json.loads((folder / "evaluate" / "0" / "evaluation" / "evaluation.json").read_text())
    for name in ("policy", "oracle", "zero_force"):
        assert quantity(evaluation["goal_reaching"]["controllers"][name]["final_px_mean"]) in done.stdout
    for name in ("model.gif", "policy.gif", "report.html"):
        assert str(folder / "evaluate" / "0" / "evaluation" / name) in done.stdout
    assert (folder / "evaluate" / "0" / "evaluation" / "report.html").as_uri() in done.stdout


def test_each_step_and_its_progress_is_told_while_it_works(finished):
    done, folder = finished
    told = done.stderr.splitlines()
    assert told[0] == f"run: {folder}"
    assert told.index("train-policy/0") < told.index(next(line for line in told if "policy: 3 of 3, loss" in line))
    assert any(re.fullmatch(r"evaluate/0: succeeded after \d+\.\d s", line) for line in told)


def test_a_run_is_never_written_over(finished, capsys):
    _, folder = finished
    before = (folder / "run.json").stat()
    assert main(command(folder.parents[1], "first")) == 2
    assert "the run 'first' exists already" in capsys.readouterr().err
    assert (folder / "run.json").stat() == before


def test_the_compiled_file_gives_the_same_weights_and_figures(finished, tmp_path):
    _, folder = finished
    assert compile_pipeline(["-o", str(tmp_path / "p.yaml")]) == 0
    arguments = ["--preset", "smoke", "--set", f"overrides={json.dumps(TINY)}", "--root", ".", "--run-id", "again"]
    started = [*RUNNER, "--pipeline", "p.yaml", *arguments]
    done = subprocess.run(started, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = tmp_path / "dreamblock" / "again"
    for file in (
        "generate-data/1/episodes/frames.npy",
        "train-world-model/0/world_model/weights.safetensors",
        "train-policy/0/policy/weights.safetensors",
        "evaluate/0/evaluation/evaluation.json",
    ):
        assert (again / file).read_bytes() == (folder / file).read_bytes(), file


def test_a_resumed_run_goes_on_with_as_many_threads_as_it_began_with(finished, tmp_path, monkeypatch):
    _, folder = finished
    again = tmp_path / "dreamblock" / "first"
    again.mkdir(parents=True)
    (again / "run.json").write_text(json.dumps(run_json(folder) | {"threads": 2}))
    for arguments, expected in ([], "2"), (["--threads", "1"], "1"):
        monkeypatch.setenv("OMP_NUM_THREADS", "3")  # which is for new runs
        set_environment(parser().parse_args(["--resume", "first", *arguments]), str(tmp_path), "dreamblock")
        assert os.environ["OMP_NUM_THREADS"] == expected
