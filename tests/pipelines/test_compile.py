"""The command that writes the pipeline for Kubeflow: python -m pytest tests/pipelines/test_compile.py"""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.component import NO_IMAGE
from pipelines.compile import main, validate


def images(path):
    executors = yaml.safe_load(path.read_text())["deploymentSpec"]["executors"]
    return {executor["container"]["image"] for executor in executors.values()}


def refusal(arguments, capsys):
    """What the command says of arguments that it refuses."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_the_command_writes_a_pipeline_and_says_that_it_is_for_local_use(tmp_path):
    command = [sys.executable, "-m", "pipelines.compile", "-o", str(tmp_path / "pipeline.yaml")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "for local use" in done.stdout
    assert images(tmp_path / "pipeline.yaml") == {NO_IMAGE}
    assert "local-use-only" in NO_IMAGE


def test_named_images_are_the_ones_in_the_file(tmp_path, capsys):
    path = tmp_path / "pipeline.yaml"
    assert main(["-o", str(path), "--image-cpu", "a/cpu:1", "--image-gpu", "a/gpu:1"]) == 0
    assert images(path) == {"a/cpu:1", "a/gpu:1"}
    assert "local use" not in capsys.readouterr().out


def test_the_same_pipeline_is_the_same_file(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        main(["-o", str(tmp_path / name)])
    first, second = (yaml.safe_load((tmp_path / name).read_text()) for name in ("a.yaml", "b.yaml"))
    assert first == second


def test_one_image_without_the_other_is_refused(tmp_path, capsys):
    said = refusal(["-o", str(tmp_path / "pipeline.yaml"), "--image-gpu", "a/gpu:1"], capsys)
    assert "--image-cpu and --image-gpu go together" in said
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_kubeflow_would_not_read_is_refused(tmp_path, capsys):
    assert "ends in .yaml, got" in refusal(["-o", str(tmp_path / "pipeline.txt")], capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "cannot be written: Not a directory" in refusal(["-o", str(tmp_path / "file" / "p.yaml")], capsys)
    assert "cannot be written: No such file" in refusal(["-o", str(tmp_path / "nowhere" / "p.yaml")], capsys)


def misspell(spec, *place):
    *parents, name = place
    for parent in parents:
        spec = spec[parent]
    spec[name + "s"] = spec.pop(name)


@pytest.mark.parametrize(
    "place",
    [
        ("root", "dag", "tasks", "plan", "componentRef"),
        ("root", "dag", "tasks", "plan", "cachingOptions", "enableCache"),
        ("deploymentSpec", "executors", "exec-plan", "container", "image"),
    ],
)
def test_a_misspelled_field_does_not_pass(tmp_path, place):
    path = tmp_path / "pipeline.yaml"
    main(["-o", str(path)])
    validate(path)
    spec = yaml.safe_load(path.read_text())
    misspell(spec, *place)
    path.write_text(yaml.safe_dump(spec))
    with pytest.raises(ValueError, match=f'no field named "{place[-1]}s"'):
        validate(path)
