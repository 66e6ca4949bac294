"""The command line of the in-process run, what it refuses and how it ends.

python -m pytest tests/test_local_runner.py
"""

import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from datetime import datetime

import pytest
from kfp import dsl
from kfp.compiler import Compiler
from tiny_run import PROJECT, RUNNER, command, run_json

import local_runner
import models.train_policy
from components.storage import MANIFEST, verified
from local_runner import main
from models.checkpoint import load_training, load_world_model
from models.threads import WAITING
from pipelines.build import BuildConfig
from pipelines.engine import attempts
from pipelines.write import write_pipeline
from viewer.command_line import Terminated


def start(arguments, **options):
    """The runner as a process of its own, as a person starts it."""
    return subprocess.Popen(
        [*RUNNER, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# What a person reads before anything runs


def test_help_answers_at_once_and_loads_no_library():
    script = (
        "import sys, local_runner\n"
        "try: local_runner.main(['--help'])\n"
        "finally: assert not {'torch', 'kfp', 'numpy'} & set(sys.modules)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 2
    for option in ("--preset", "--seed", "--set NAME=VALUE", "--root DIR", "--run-id NAME", "--pipeline FILE"):
        assert option in done.stdout
    assert "python local_runner.py --preset smoke" in done.stdout
    assert "Running one is running the code" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "smok"], "the nearest of smoke, laptop, gpu is 'smoke'"),
        (["--set", "policy_trainig.steps=5"], "the nearest is 'policy_training.steps'"),
        (["--set", "policy_training.steps=0"], "policy_training.steps must be a whole number of at least 1, got 0"),
        (["--set", "policy_training.steps=soon"], "policy_training.steps must be a whole number, got 'soon'"),
        (["--set", "policy_training.rate=NaN"], "policy_training.rate must be a number, got nan"),
        (
            ["--set", 'policy_training={"steps": 20}'],
            "--set takes settings as part.name=value, such as policy_training.steps=800, got 'policy_training={\"st",
        ),
        (["--set", "policy_training=20"], "--set takes settings as part.name=value"),
        (["--set", 'overrides={"data.episodes": 512}'], "--set takes settings as part.name=value"),
        (["--set", "episodes=512"], "the nearest is 'data.episodes'"),
        (["--set", "policy_training.steps"], "--set takes NAME=VALUE, got 'policy_training.steps'"),
        (
            ["--set", f"policy_training.steps={'[' * 100000}"],
            "--set takes no value that is nested so deeply, got '[[[[",
        ),
        (["--seed", "-1"], "seed must be a whole number of at least 0, got -1"),
        (["--threads", "0"], "--threads must be a whole number of at least 1, got 0"),
        (["--list", "--threads", "2"], "--threads is for a run, and does not go with --list"),
        (["--list", "--no-cache"], "--no-cache is for a run, and does not go with --list"),
        (["--prune", "a", "--pipeline", "a.yaml"], "--pipeline is for a run, and does not go with --prune"),
        (["--champion", "../up"], "a champion's name is made of letters, digits, dots, dashes and underscores"),
        (["--champion", ""], "made of letters, digits, dots, dashes and underscores, got ''"),
        (["--champion", "nightly", "--seed", "3"], "--seed does not go with --champion"),
        (["--resume", "some-run", "--champion", "nightly"], "--champion is for a new run"),
        (["--list", "--open"], "--open is for a run, and does not go with --list"),
        (["--root", "gs://bucket/prefix", "--open"], "--open needs a report on this machine"),
        (["--root", "s3://bucket/prefix"], "a folder of this machine or gs://bucket/prefix, got 's3://bucket/prefix'"),
        (["--root", "gs:/bucket/prefix"], "a folder of this machine or gs://bucket/prefix, got 'gs:/bucket/prefix'"),
        (["--root", ""], "a folder of this machine or gs://bucket/prefix, got ''"),
        (["--root", "/proc/nothing"], "the root /proc/nothing cannot be written"),
        (["--root", f"{__file__}/runs"], "cannot be written: Not a directory"),
        (["--run-id", "../elsewhere"], "a run id is made of letters"),
        (["--pipeline", "nowhere.yaml"], "the pipeline file nowhere.yaml does not exist"),
        (["--pipeline", __file__], "test_local_runner.py is not"),
        (["--pipeline", str(PROJECT)], "cannot be read"),
    ],
)
def test_a_mistake_costs_one_sentence_and_exit_code_2(arguments, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"local_runner.py: error: [^\n]+\n", said.err)
    assert sentence in said.err
    assert not list(tmp_path.glob("runs/*/*")), "nothing has begun"


def test_a_mistake_is_exit_code_2_of_the_process_too(tmp_path):
    done = subprocess.run([*RUNNER, "--preset", "lapto"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "local_runner.py: error: there is no preset 'lapto', the nearest of smoke, laptop, gpu is 'laptop'\n"
    )


@pytest.mark.parametrize("threads", ["0", "two", "-1", "1.5", ""])
def test_a_number_of_threads_that_is_none_is_refused(threads, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert main([]) == 2
    assert f"OMP_NUM_THREADS must be a whole number of at least 1, got {threads!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "smok"], "the nearest of smoke, laptop, gpu is 'smoke'"),
        (["--set", "policy_training.step=5"], "the nearest is 'policy_training.steps'"),
        (["--set", 'overrides={"policy_training.steps": 0}'], "policy_training.steps must be a whole number of at"),
        (["--set", f"overrides={'[' * 100000}"], "parameter 'overrides' must be a dictionary, got '[[[["),
        (["--champion", "../up"], "a champion's name is made of letters, digits, dots, dashes and underscores"),
    ],
)
def test_a_mistake_costs_as_little_with_our_pipeline_from_a_file(arguments, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pipeline(tmp_path / "pipeline.yaml", BuildConfig())
    assert main(["--pipeline", "pipeline.yaml", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_settings_of_our_pipeline_from_a_file_are_named_as_without_one(tmp_path):
    path = tmp_path / "pipeline.yaml"
    write_pipeline(path, BuildConfig())
    given = ["--set", "data.episodes=512", "--set", 'overrides={"data.shards": 3}', "--preset", "smoke"]
    options = local_runner.parser().parse_args(["--pipeline", str(path), *given])
    assert local_runner.from_file(options)[1]["overrides"] == {"data.episodes": 512, "data.shards": 3}


def test_a_run_is_named_by_its_id_by_its_folder_or_as_the_list_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "dreamblock/a", "runs/dreamblock/a", f"{tmp_path}/runs/dreamblock/a"):
        assert local_runner.id_of(name, f"{tmp_path}/runs", "dreamblock") == "a"


# Pipelines of others


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def greet(name: str, times: int) -> str:
    if times < 0:
        raise ValueError("less than nothing")
    return " ".join([f"hello {name}"] * times)


@dsl.pipeline(name="greeting")
def greeting(name: str, times: int = 2):
    greet(name=name, times=times)


@pytest.fixture
def greeting_file(tmp_path):
    Compiler().compile(greeting, str(tmp_path / "greeting.yaml"))
    return str(tmp_path / "greeting.yaml")


def test_any_compiled_pipeline_runs_with_parameters_of_its_own(greeting_file, tmp_path, capsys):
    arguments = ["--pipeline", greeting_file, "--set", "name=you=me", "--set", "times=3", "--root", str(tmp_path)]
    assert main([*arguments, "--run-id", "a"]) == 0
    assert "greet/0" in capsys.readouterr().out
    record = run_json(tmp_path / "greeting" / "a")
    assert record["parameters"] == {"name": "you=me", "times": 3}
    output = tmp_path / "greeting" / "a" / "greet" / "0" / "executor_output.json"
    assert json.loads(output.read_text())["parameterValues"] == {"Output": "hello you=me hello you=me hello you=me"}


def test_the_number_of_threads_that_a_run_is_given_is_recorded(greeting_file, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # which the option overrules
    arguments = ["--pipeline", greeting_file, "--set", "name=you", "--root", str(tmp_path), "--run-id", "a"]
    assert main([*arguments, "--threads", "2"]) == 0
    assert run_json(tmp_path / "greeting" / "a")["threads"] == 2


@pytest.mark.parametrize("own", [{}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "ACTIVE"}])
def test_how_threads_wait_is_settled_before_a_step_but_left_as_whoever_starts_the_run_has_it(
    greeting_file, tmp_path, monkeypatch, own
):
    for name in (*WAITING, "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "to be restored")
        monkeypatch.delenv(name)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    assert main(["--pipeline", greeting_file, "--set", "name=you", "--root", str(tmp_path)]) == 0
    found = {name: os.environ[name] for name in (*WAITING, "OMP_WAIT_POLICY") if name in os.environ}
    assert found == (own if "OMP_WAIT_POLICY" in own else WAITING | own)


def test_a_resumed_run_of_a_file_keeps_its_number_of_threads_and_what_is_done(
    greeting_file, tmp_path, monkeypatch, capsys
):
    begun = ["--set", "name=you", "--run-id", "a", "--threads", "2"]
    for arguments, threads in (begun, 2), (["--resume", "a"], 2), (["--resume", "a", "--threads", "1"], 1):
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert main(["--pipeline", greeting_file, "--root", str(tmp_path), *arguments]) == 0
        assert run_json(tmp_path / "greeting" / "a")["threads"] == threads
        assert ("the number of threads" in capsys.readouterr().err) == (threads == 1), "steps start over"


def test_runs_without_a_name_are_named_by_the_time_and_sort_by_it(greeting_file, tmp_path):
    for _ in range(2):
        assert main(["--pipeline", greeting_file, "--set", "name=you", "--root", str(tmp_path)]) == 0
    runs = [folder for folder in (tmp_path / "greeting").iterdir() if folder.name != "cache"]
    assert len(runs) == 2
    for folder in runs:
        named = datetime.strptime(folder.name[:17] + "+0000", "%Y-%m-%d-%H%M%S%z")
        assert abs((named - datetime.fromisoformat(run_json(folder)["started"])).total_seconds()) < 5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "needs a value for its parameter 'name'"),
        (["--set", "nam=you"], "has no parameter 'nam'; did you mean 'name'?"),
        (["--set", "name=you", "--set", "times=often"], "parameter 'times' must be an integer, got 'often'"),
        (["--set", "name=you", "--preset", "smoke"], "has no parameter 'preset'"),
    ],
)
def test_a_parameter_that_the_file_does_not_have_is_refused(greeting_file, tmp_path, capsys, arguments, sentence):
    assert main(["--pipeline", greeting_file, "--root", str(tmp_path), *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "greeting").exists()


# Steps that fail


def test_an_error_in_a_component_keeps_its_traceback(greeting_file, tmp_path, capsys):
    arguments = ["--set", "name=you", "--set", "times=-1", "--root", str(tmp_path), "--run-id", "a"]
    assert main(["--pipeline", greeting_file, *arguments]) == 1
    said = capsys.readouterr().err
    assert 'raise ValueError("less than nothing")' in said
    assert "engine" not in said, "only lines of the component"
    assert said.endswith("local_runner.py: task 'greet' failed: ValueError: less than nothing\n")
    record = run_json(tmp_path / "greeting" / "a")
    assert (record["state"], record["tasks"][0]["error"]) == ("FAILED", "ValueError: less than nothing")


def test_a_run_that_another_process_has_taken_over_ends_in_a_sentence(greeting_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(attempts, "_last", lambda run: 7)
    arguments = ["--set", "name=you", "--root", str(tmp_path), "--run-id", "a"]
    assert main(["--pipeline", greeting_file, *arguments]) == 1
    ends = "local_runner.py: the run 'a' was taken over or removed by another process, and this one ends\n"
    assert capsys.readouterr().err.endswith(ends)


def test_a_world_model_that_is_too_poor_stops_the_run_in_a_sentence(tmp_path, capsys):
    assert main(command(tmp_path, "poor", check__largest_error=1)) == 1
    said = capsys.readouterr().err
    assert re.search(r"task 'check' failed: .* is off by \d+\.\d\d px at horizon 5, at most 1 are allowed", said)
    assert "Traceback" not in said
    states = {task["name"]: task["state"] for task in run_json(tmp_path / "dreamblock" / "poor")["tasks"]}
    assert states == {
        **dict.fromkeys(("plan", "generate-data", "start", "train-world-model"), "SUCCEEDED"),
        "check": "FAILED",
        **dict.fromkeys(("train-policy", "evaluate", "promote"), "SKIPPED"),
    }


def test_a_loss_that_turns_nan_stops_names_the_step_and_keeps_the_last_good_weights(tmp_path, capsys, monkeypatch):
    losses, distance = itertools.count(), models.train_policy.target_distance

    def poisoned(places, targets):
        return distance(places, targets) * (float("nan") if next(losses) == 2 else 1)

    monkeypatch.setattr(models.train_policy, "target_distance", poisoned)
    assert main(command(tmp_path, "nan", policy_training__steps=9)) == 1
    said = capsys.readouterr().err
    assert "task 'train-policy' failed: TrainingError: the loss is not finite at step 3 of the phase policy" in said
    assert "Traceback" not in said
    folder = tmp_path / "dreamblock" / "nan"
    kept, facts = load_training(folder / "checkpoints" / "train-policy" / "training.safetensors")
    assert facts["step"] == 2
    assert all(tensor.isfinite().all() for tensor in kept.values())
    assert not (folder / "train-policy" / "0" / "policy").exists()
    assert load_world_model(verified(folder / "train-world-model" / "0" / "world_model"))
    assert run_json(folder)["state"] == "FAILED"


def test_a_mistake_of_ours_keeps_its_traceback(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(models.train_policy, "target_distance", lambda places, targets: places @ targets.sum())
    assert main(command(tmp_path, "bug")) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "train_policy.py" in said


def test_a_mistake_of_ours_is_never_said_to_be_the_users(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.summary.summary", lambda record, uri: int("a figure"))
    monkeypatch.setattr("pipelines.engine.execute.execute", lambda *arguments, **options: None)
    with pytest.raises(ValueError, match="invalid literal for int"):
        main(["--root", str(tmp_path)])


# Ctrl-C

# Of each stage what makes it long, and what is there once it is at work.
STAGES_AT_WORK = {
    "plan": ({}, "run.json"),
    "generate-data": ({"data__episodes": 30000, "data__shards": 1}, "generate-data/0/episodes.incoming"),
    "train-world-model": (
        {"world_model_training__autoencoder_steps": 100000},
        "checkpoints/train-world-model/metrics.jsonl",
    ),
    "check": ({"check__episodes": 10000}, "check/0"),
    "train-policy": ({"policy_training__steps": 100000}, "checkpoints/train-policy/metrics.jsonl"),
    "evaluate": ({"evaluation__episodes": 2000}, "evaluate/0/evaluation.incoming"),
}


@pytest.mark.parametrize("stage", STAGES_AT_WORK)
def test_ctrl_c_stops_a_stage_and_leaves_no_half_of_it(stage, tmp_path):
    settings, sign = STAGES_AT_WORK[stage]
    folder = tmp_path / "dreamblock" / "stopped"
    with start(command(tmp_path, "stopped", **settings)) as process:
        while not (folder / sign).exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        time.sleep(0 if stage == "plan" else 0.3)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        output, said = process.communicate()
    assert process.returncode == 130
    assert time.monotonic() - asked < 10
    assert "Traceback" not in said
    assert "ignored" not in said
    assert said.endswith(f"\nstopped by Ctrl-C; to go on: --resume stopped --root {tmp_path}\n")
    assert output == ""
    record = run_json(folder)
    assert record["state"] == "CANCELLED"
    whole = [task for task in record["tasks"] if task["state"] == "SUCCEEDED"]
    if stage != "plan":
        assert [(task["name"], task["state"]) for task in record["tasks"]][len(whole) :] == [(stage, "CANCELLED")]
    assert not list(folder.rglob("*incoming*"))
    kept = {str(path.parent) for path in folder.rglob(MANIFEST)}
    assert kept == {a["uri"] for task in whole for a in task["artifacts"].values() if a["type"] != "system.Metrics"}
    for path in kept:
        verified(path)


@pytest.mark.parametrize(("stop", "by", "code"), [(KeyboardInterrupt, "Ctrl-C", 130), (Terminated, "SIGTERM", 143)])
def test_a_run_that_is_stopped_says_how_it_goes_on(stop, by, code, greeting_file, tmp_path, capsys, monkeypatch):
    def interrupted(*arguments):
        raise stop

    monkeypatch.setattr("pipelines.engine.walk.Walk.dag", interrupted)
    monkeypatch.chdir(tmp_path)
    for root, where in ([], ""), (["--root", "some runs"], " --root 'some runs'"):
        run = ["--pipeline", greeting_file, *root]
        assert main([*run, "--set", "name=you", "--run-id", "a"]) == code
        goes_on = f"\nstopped by {by}; to go on: --resume a{where} --pipeline {greeting_file}\n"
        assert capsys.readouterr().err.endswith(goes_on)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(goes_on.partition("to go on: ")[2])) == 0


def test_ctrl_c_before_anything_has_begun_is_quiet_too(tmp_path):
    with start(command(tmp_path, "stopped"), env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}) as process:
        for line in process.stderr:  # the libraries as they are imported
            if "numpy" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not (tmp_path / "dreamblock").exists()
