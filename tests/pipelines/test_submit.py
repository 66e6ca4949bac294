"""Help, and mistakes that need no cluster to be found: python -m pytest tests/pipelines/test_submit.py"""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.submit import EXAMPLES, main, parse

PROJECT = Path(__file__).parents[2]


def test_help_answers_at_once_and_loads_no_library():
    script = (
        "import sys, pipelines.submit\n"
        "try: pipelines.submit.main(['--help'])\n"
        "finally: assert not {'kfp', 'kubernetes', 'numpy'} & set(sys.modules)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 2
    for command in ("upload", "run", "schedule", "status", "list", "fetch"):
        assert f"python -m pipelines.submit {command}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--preset", "gpy"], "no preset 'gpy', the nearest of smoke, laptop, gpu is 'gpu'"),
        (["run", "--set", "policy_training.step=3"], "nearest is 'policy_training.steps'"),
        (["run", "--set", "data.episodes=many"], "data.episodes must be a whole number, got 'many'"),
        (["run", "--set", "data.episodes"], "--set takes NAME=VALUE, got 'data.episodes'"),
        (["run", "--set", "seed=3"], "seed is not set by --set"),
        (["run", "--root", "/tmp/runs"], "lie in a bucket, gs://bucket/prefix, got '/tmp/runs'"),
        (["run", "--root", "gs://My-Dreams/runs"], "the name of a bucket is 3 to 63 of a-z, 0-9, -, _ and .,"),
        (["fetch", "--root", "gs://goog-dreams"], "has no google in it, got 'goog-dreams'"),
        (["run", "--set", "champion=nightly"], "champion is not set by --set"),
        (["run", "--champion", "a/b"], "a champion's name is made of letters, digits, dots, dashes and underscores"),
        (["run", "--champion", "nightly", "--seed", "3"], "--seed does not go with the champion nightly"),
        (["schedule", "my runs", "--cron", "0 3 * * *"], "a champion's name is made of letters, digits, dots"),
        (["schedule", "nightly", "--cron", "0 3 * * *", "--seed", "3"], "--seed does not go with the champion nightly"),
        (["schedule", "nightly"], 'schedule needs --cron, as in --cron "0 3 * * *"'),
        (["schedule", "nightly", "--cron", "0 3 * * *", "--remove"], "and --remove ends it: give one of them"),
        (["schedule", "nightly", "--cron", "0 0 30 2 *"], "the cron '0 0 30 2 *' never fires"),
        (["fetch", "some-run", "--recurring", "nightly"], "not both"),
        (["list", "--host", "kubeflow.example"], "begins with http:// or https://, got 'kubeflow.example'"),
        (["list", "--iap-client-id", "x"], "--iap-client-id is for a host that asks for it"),
        (["upload", "--file", "nothing.yaml"], "nothing.yaml does not exist"),
    ],
)
def test_a_mistake_is_said_in_a_sentence_before_any_cluster_is_asked(arguments, sentence, capsys, monkeypatch):
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    monkeypatch.setenv("PATH", "")  # no kubectl: to look for a cluster would be another error
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("kind: Pipeline\n", "is not a compiled pipeline"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_file_that_is_no_pipeline_is_not_uploaded(content, sentence, tmp_path, capsys):
    path = tmp_path / "some.yaml"
    path.write_text(content)
    assert main(["upload", "--file", str(path)]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_an_option_that_no_command_has_is_refused(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["run", "--sed", "3"])
    assert refused.value.code == 2
    assert "unrecognized arguments: --sed 3" in capsys.readouterr().err


def test_each_example_and_each_command_of_the_how_to_is_one_that_there_is():
    how_to = (PROJECT / "docs" / "gke.md").read_text()
    given = [re.findall(r"(?m)^ +python -m pipelines\.submit (.+)$", text) for text in (EXAMPLES, how_to)]
    for lines in given:
        parsed = [parse(shlex.split(line)) for line in lines]
        assert {"upload", "run", "schedule", "fetch"} <= {options.command for options in parsed}
