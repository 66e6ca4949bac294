"""Runs that go on, are taken from, listed, removed, by the command line: python -m pytest tests/test_runs_again.py"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kfp import dsl
from kfp.compiler import Compiler
from tiny_run import PROJECT, STAGES, command

from components import storage
from local_runner import main


def read_json(uri):
    return json.loads(storage.read_text(uri) or "")


def start(arguments, project=PROJECT):
    return subprocess.Popen(
        [sys.executable, project / "local_runner.py", *arguments],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(process):
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output, errors


def record(root, run_id):
    return read_json(storage.join(str(root), "dreamblock", run_id, "run.json"))


def sources(root, run_id):
    return [(task["name"], task["cached_from"]) for task in record(root, run_id)["tasks"]]


def weights(root, run_id):
    """The bytes of both networks and of the evaluation, wherever the run has them."""
    artifacts = {name: a["uri"] for task in record(root, run_id)["tasks"] for name, a in task["artifacts"].items()}
    return [
        (Path(artifacts[name]) / file).read_bytes()
        for name, file in (
            ("world_model", "weights.safetensors"),
            ("policy", "weights.safetensors"),
            ("evaluation", "evaluation.json"),
        )
    ]


def copy_of_the_project(folder):
    project = folder / "project"
    for name in ("components", "models", "pipelines", "sim_core", "viewer"):
        shutil.copytree(PROJECT / name, project / name)
    shutil.copy(PROJECT / "local_runner.py", project)
    return project


# The honest cache


def test_editing_the_policy_runs_the_policy_and_what_follows(tmp_path):
    project = copy_of_the_project(tmp_path)
    done(start(command(tmp_path, "first"), project))
    with (project / "models" / "policy.py").open("a") as source:
        source.write("\n# edited\n")
    _, said = done(start(command(tmp_path, "second"), project))
    taken = [stage for stage, run in sources(tmp_path, "second") if run == "first"]
    assert taken == ["generate-data", "generate-data", "train-world-model", "check"]
    ran = [stage for stage, run in sources(tmp_path, "second") if run is None]
    assert ran == ["plan", "start", "train-policy", "evaluate", "promote"]
    assert "train-world-model/0: taken from first" in said
    assert weights(tmp_path, "second") == weights(tmp_path, "first")


@pytest.mark.long
def test_an_edit_runs_the_steps_that_it_reaches(tmp_path):
    """One after the other, for they share the run before them."""
    project = copy_of_the_project(tmp_path)
    done(start(command(tmp_path, "first"), project))
    for file, runs in (
        ("viewer/templates/report.css", ["plan", "start", "evaluate", "promote"]),
        ("models/world_model.py", ["plan", *STAGES[3:]]),
        ("sim_core/episodes.py", [*STAGES[:3], *STAGES[4:]]),
        ("components/shards.py", [*STAGES[:3], "evaluate", "promote"]),
    ):
        before, run_id = (project / file).read_text(), Path(file).stem
        (project / file).write_text(before + ("\n/* edited */\n" if file.endswith(".css") else "\n# edited\n"))
        done(start(command(tmp_path, run_id), project))
        (project / file).write_text(before)
        assert [stage for stage, run in sources(tmp_path, run_id) if run is None] == runs, file


# Stopped and resumed


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_stopped_in_the_middle_of_a_training_goes_on_to_the_same_bytes(tmp_path, how):
    long = {"policy_training__steps": 60}
    whole = start(command(tmp_path, "whole", **long))
    done(whole)
    stopped = start([*command(tmp_path, "stopped", **long), "--no-cache", "--checkpoint-seconds", "0.01"])
    checkpoint = tmp_path / "dreamblock" / "stopped" / "checkpoints" / "train-policy" / "training.safetensors"
    while not checkpoint.exists():
        assert stopped.poll() is None, stopped.communicate()
        time.sleep(0.01)
    stopped.send_signal(how)
    _, said = stopped.communicate()
    if how == signal.SIGTERM:
        assert stopped.returncode == 143
        assert said.endswith(f"\nstopped by SIGTERM; to go on: --resume stopped --root {tmp_path}\n")
    assert record(tmp_path, "stopped")["state"] == ("RUNNING" if how == signal.SIGKILL else "CANCELLED")
    output, said = done(start(["--resume", "stopped", "--no-cache", "--root", str(tmp_path)]))
    assert "steps done before: 6 of 7" in said
    assert "train-world-model/0" not in said
    assert "evaluate/0" in output
    assert weights(tmp_path, "stopped") == weights(tmp_path, "whole")
    assert [(task["name"], task["state"]) for task in record(tmp_path, "stopped")["tasks"]] == [
        (stage, "SUCCEEDED") for stage in STAGES
    ]


@pytest.mark.long
@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_two_runs_at_once_in_one_root_never_mix(tmp_path, where, request):
    root = str(tmp_path) if where == "folder" else request.getfixturevalue("bucket")
    processes = [start(command(root, run)) for run in ("one", "two")]
    outputs = [done(process)[0] for process in processes]
    for run, output in zip(("one", "two"), outputs, strict=True):
        facts = record(root, run)
        assert (facts["state"], facts["run_id"]) == ("SUCCEEDED", run)
        for task in facts["tasks"]:
            for artifact in task["artifacts"].values():
                source = task["cached_from"] or run
                assert f"/dreamblock/{source}/" in artifact["uri"]
                single_file = artifact["type"] in ("system.Metrics", "system.HTML", "system.Markdown")
                assert single_file or storage.whole(artifact["uri"])
        assert f"/dreamblock/{run}/evaluate/0/evaluation/model.gif" in output
    done(start(command(root, "three")))
    ran = [stage for stage, run in sources(root, "three") if run not in ("one", "two")]
    assert ran == ["plan", "evaluate", "promote"], "which no cache answers"


# Mistakes


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def greet(name: str) -> str:
    return f"hello {name}"


@dsl.pipeline(name="greeting")
def greeting(name: str):
    greet(name=name)


@pytest.fixture
def greeted(tmp_path):
    """A root with a run "a" of another pipeline, and that pipeline's file."""
    file = tmp_path / "greeting.yaml"
    Compiler().compile(greeting, str(file))
    root = tmp_path / "root"
    assert main(["--pipeline", str(file), "--set", "name=you", "--root", str(root), "--run-id", "a"]) == 0
    return root, file


def test_a_run_of_another_pipeline_goes_on_with_its_file(greeted, capsys):
    root, file = greeted
    capsys.readouterr()
    assert main(["--pipeline", str(file), "--root", str(root), "--resume", "a"]) == 0
    assert "steps done before: 1 of 1" in capsys.readouterr().err


def test_the_list_is_a_table(greeted, capsys):
    root, _ = greeted
    capsys.readouterr()
    assert main(["--list", "--root", str(root)]) == 0
    head, _, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "state", "age", "size", "figures"]
    assert re.fullmatch(r"greeting/a +succeeded +\d+ s +\d\.\d kB", line.rstrip())


def test_a_root_without_runs_lists_none(tmp_path, capsys):
    assert main(["--list", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"there are no runs in {tmp_path}\n"


def test_a_root_that_does_not_exist_is_said(tmp_path, capsys):
    assert main(["--list", "--root", str(tmp_path / "rnus")]) == 0
    assert capsys.readouterr().out == f"there are no runs: there is no folder {tmp_path / 'rnus'}\n"


def test_a_run_goes_on_by_the_name_that_the_list_has(greeted, capsys):
    root, file = greeted
    (root / "dreamblock").mkdir()
    runner = ["--pipeline", str(file), "--root", str(root)]
    assert main([*runner, "--resume", "greeting/a"]) == 0
    capsys.readouterr()
    for name, said in (
        ("b", f"there is no run 'b' in {root}/greeting, the nearest is 'a'"),
        ("greeting/b", f"there is no run 'b' in {root}/greeting, the nearest is 'a'"),
        ("dreamblock/a", "the run 'dreamblock/a' is of the pipeline 'dreamblock', not of 'greeting'"),
    ):
        assert main([*runner, "--resume", name]) == 2
        assert said in capsys.readouterr().err


def test_a_pruned_run_is_gone(greeted, capsys):
    root, _ = greeted
    assert main(["--prune", "a", "--root", str(root)]) == 0
    assert "removed a: 0.0 MB" in capsys.readouterr().out
    assert not (root / "greeting" / "a").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--resume", "nobody"], "there is no run 'nobody' in"),
        (["--resume", ""], "a run id is made of letters"),
        (["--resume", "../a"], "a run id is made of letters"),
        (["--resume", "cache"], "a run cannot be called 'cache'"),
        (["--run-id", "cache"], "a run cannot be called 'cache'"),
        (["--resume", "a", "--preset", "smoke"], "--preset is for a new run, and does not go with --resume"),
        (["--resume", "a", "--seed", "1"], "--seed is for a new run, and does not go with --resume"),
        (
            ["--resume", "a", "--set", "policy_training.steps=3"],
            "--set is for a new run, and does not go with --resume",
        ),
        (["--resume", "a", "--run-id", "b"], "--run-id is for a new run, and does not go with --resume"),
        (["--resume", "a", "--list"], "--resume and --list are two things to do"),
        (["--resume", "a", "--prune", "a"], "--resume and --prune are two things to do"),
        (["--list", "--prune", "a"], "--list and --prune are two things to do"),
        (["--list", "--seed", "3"], "--seed is for a new run, and does not go with --list"),
        (["--prune", "nobody"], "there is no run 'nobody' in"),
        (["--prune", ""], "there is no run '' in"),
        (["--prune", "../.."], "there is no run '../..' in"),
        (["--prune", "a", "--prune", "nobody"], "there is no run"),
        (["--force"], "--force goes with --resume or --prune"),
        (["--list", "--force"], "--force goes with --resume or --prune"),
        (["--checkpoint-seconds", "-1"], "--checkpoint-seconds must be a number of at least 0, got -1.0"),
        (["--checkpoint-seconds", "nan"], "--checkpoint-seconds must be a number of at least 0, got nan"),
        (["--checkpoint-seconds", "inf"], "--checkpoint-seconds must be a number of at least 0, got inf"),
        (["--root", "gs://"], "--root takes a folder of this machine or gs://bucket/prefix, got 'gs://'"),
        (["--root", "gs:///runs"], "--root takes a folder of this machine or gs://bucket/prefix"),
        (["--root", "gs://Bucket/runs"], "--root takes a folder of this machine or gs://bucket/prefix"),
        (["--root", "s3://bucket", "--list"], "--root takes a folder of this machine or gs://bucket/prefix"),
        (["--root", "https://storage.googleapis.com/bucket"], "--root takes a folder of this machine or gs://bucket"),
    ],
)
def test_a_mistake_costs_one_sentence_and_exit_code_2(arguments, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("local_runner.py: error: ")
    assert said.err.count("\n") == 1
    assert sentence in said.err
    assert not list(tmp_path.iterdir()), "nothing was made"


@pytest.mark.parametrize(
    "arguments", [["--checkpoint-seconds", "soon"], ["--resume"], ["--prune"], ["--resum", "a", "b"]]
)
def test_what_is_no_option_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_bucket_that_does_not_exist_is_said_in_a_sentence(bucket, capsys):
    for arguments in (command(f"{bucket}-not/runs", "a"), ["--list", "--root", f"{bucket}-not"]):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert f"there is no bucket {bucket}-not" in said
        assert said.count("\n") == 1


def test_a_run_that_was_stopped_says_how_to_go_on_when_its_folder_is_gone(tmp_path, capsys, monkeypatch):
    @dsl.component(base_image="python:3.11", install_kfp_package=False)
    def remove(folder: str):
        import shutil
        from pathlib import Path

        shutil.rmtree(folder)
        Path(folder).touch()

    @dsl.pipeline(name="removing")
    def removing(folder: str):
        remove(folder=folder)

    Compiler().compile(removing, str(tmp_path / "p.yaml"))
    root = tmp_path / "root"
    arguments = ["--pipeline", str(tmp_path / "p.yaml"), "--root", str(root), "--run-id", "a"]
    assert main([*arguments, "--set", f"folder={root}"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("local_runner.py: the run stopped: ")
    assert said.endswith(f"when that is mended: --resume a --root {root} --pipeline {tmp_path}/p.yaml")


def test_the_environment_tells_the_steps_how_often_to_save(greeted, monkeypatch):
    root, file = greeted
    monkeypatch.delenv("DREAMBLOCK_CHECKPOINT_SECONDS", raising=False)
    arguments = ["--pipeline", str(file), "--set", "name=you", "--root", str(root), "--run-id", "b"]
    assert main([*arguments, "--checkpoint-seconds", "2"]) == 0
    assert os.environ.pop("DREAMBLOCK_CHECKPOINT_SECONDS") == "2.0"
    assert sources_of(root)["b"] == "a", "and it is no part of what a step depends on"


def sources_of(root):
    return {
        file.parent.name: json.loads(file.read_text())["tasks"][0]["cached_from"] for file in root.glob("*/*/run.json")
    }
