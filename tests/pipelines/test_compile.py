"""The command that writes the pipeline for Kubeflow: python -m pytest tests/pipelines/test_compile.py"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from components.component import NO_IMAGE
from pipelines import images as pipelines_images
from pipelines.compile import main
from pipelines.write import validate
from viewer.commit import VARIABLE

PROJECT = Path(__file__).parents[2]
CPU, GPU = (f"registry.example/{name}@sha256:{digit * 64}" for name, digit in (("cpu", "a"), ("gpu", "b")))
NAMED = ["--image-cpu", CPU, "--image-gpu", GPU]


@pytest.fixture(autouse=True)
def lock(tmp_path_factory, monkeypatch) -> Path:
    """Where the images that were built are written down; there are none, whatever was built on this machine."""
    lock = tmp_path_factory.mktemp("images") / "images" / "lock.json"
    lock.parent.mkdir()
    monkeypatch.setattr(pipelines_images, "LOCK", lock)
    return lock


def images(path):
    spec, *_ = yaml.safe_load_all(path.read_text())
    executors = spec["deploymentSpec"]["executors"]
    return {executor["container"]["image"] for executor in executors.values()}


def refusal(arguments, capsys):
    """What the command says of arguments that it refuses."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_the_command_writes_a_pipeline_with_the_images_that_it_is_told(tmp_path):
    command = [sys.executable, "-m", "pipelines.compile", "-o", str(tmp_path / "pipeline.yaml"), *NAMED]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote {tmp_path / 'pipeline.yaml'}\n"
    assert images(tmp_path / "pipeline.yaml") == {CPU, GPU}


def test_what_is_for_local_use_is_written_without_the_libraries_of_a_cluster_or_a_training(tmp_path):
    script = (
        "import runpy, sys\n"
        f"sys.argv[1:] = ['-o', {str(tmp_path / 'pipeline.yaml')!r}]\n"
        "try: runpy.run_module('pipelines.compile', run_name='__main__')\n"
        "finally: assert not {'kfp.client', 'kubernetes', 'requests', 'numpy', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_images_it_says_that_the_pipeline_is_for_local_use(tmp_path, capsys):
    path = tmp_path / "pipeline.yaml"
    assert main(["-o", str(path)]) == 0
    assert "for local use" in capsys.readouterr().out
    assert images(path) == {NO_IMAGE}
    assert "local-use-only" in NO_IMAGE
    assert len(list(yaml.safe_load_all(path.read_text()))) == 1, "nothing is asked of a cluster"


def test_the_images_that_were_built_are_taken_unless_others_are_named(tmp_path, capsys, lock, monkeypatch):
    path = tmp_path / "pipeline.yaml"
    monkeypatch.setenv(VARIABLE, "d" * 40)
    lock.write_text(json.dumps({"commit": "c" * 40, "base": None, "cpu": CPU, "gpu": GPU}))
    assert main(["-o", str(path)]) == 0
    assert images(path) == {CPU, GPU}
    said = capsys.readouterr().err
    assert said == f"the commit of the images is {'c' * 40}, that of this source {'d' * 40}: bash images/build.sh\n"
    monkeypatch.setenv(VARIABLE, "c" * 40)
    assert main(["-o", str(path)]) == 0
    assert capsys.readouterr().err == ""
    other = CPU.replace("a" * 64, "d" * 64)
    assert main(["-o", str(path), "--image-cpu", other, "--image-gpu", other]) == 0
    assert images(path) == {other}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"commit": "", "cpu": "a:1", "gpu": "a:1"}'])
def test_a_lock_that_was_not_written_by_a_build_is_refused(tmp_path, capsys, lock, content):
    lock.write_text(content)
    said = refusal(["-o", str(tmp_path / "pipeline.yaml")], capsys)
    assert "images/build.sh writes it anew" in said or "named by digest" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tag", ["a/cpu:1", "a/cpu", f"a/cpu@sha256:{'a' * 63}", f"a/cpu@sha256:{'A' * 64}"])
def test_an_image_that_may_become_another_is_refused_unless_it_is_allowed(tmp_path, capsys, tag):
    arguments = ["-o", str(tmp_path / "pipeline.yaml"), "--image-cpu", tag, "--image-gpu", GPU]
    said = refusal(arguments, capsys)
    assert f"registry/name@sha256:..., got {tag!r}" in said
    assert list(tmp_path.iterdir()) == []
    assert main([*arguments, "--allow-mutable-tag"]) == 0
    assert images(tmp_path / "pipeline.yaml") == {tag, GPU}


def test_the_options_for_a_cluster_reach_the_file(tmp_path):
    path = tmp_path / "pipeline.yaml"
    asked = ["--root", "gs://my-dreams/runs/", "--gpu-type", "nvidia-tesla-t4", "--gpus", "4", "--spot"]
    assert main(["-o", str(path), *NAMED, *asked, "--max-hours", "1.5"]) == 0
    spec, platform = yaml.safe_load_all(path.read_text())
    assert spec["defaultPipelineRoot"] == "gs://my-dreams/runs"
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert [parameters[name]["defaultValue"] for name in ("gpu_type", "gpus")] == ["nvidia-tesla-t4", 4]
    training = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train-policy"]
    assert training["activeDeadlineSeconds"] == "5400"
    assert len(training["tolerations"]) == 2


def test_the_command_of_the_how_to_is_one_that_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how_to = (PROJECT / "docs" / "gke.md").read_text()
    (arguments,) = re.findall(r"(?m)^    python -m pipelines\.compile (.+)$", how_to)
    assert main([*shlex.split(arguments), *NAMED]) == 0
    assert images(tmp_path / "pipeline.yaml") == {CPU, GPU}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpu-type", "nvidia-l5"], "the nearest is 'nvidia-l4'"),
        (["--gpus", "0"], "a node has 1, 2, 4 or 8 GPUs of type nvidia-l4, got 0"),
        (["--gpus", "9"], "got 9"),
        (["--gpus", "two"], "--gpus: invalid int value: 'two'"),
        (["--max-hours", "0"], "max_hours must be above 0"),
        (["--root", "gs://My-Dreams"], "got 'My-Dreams'"),
        (["--root", ""], "gs://bucket/prefix, got ''"),
        (["--spot", "--on-demand"], "not allowed with argument"),
    ],
)
def test_what_no_cluster_has_is_refused_in_a_sentence(tmp_path, capsys, arguments, said):
    assert said in refusal(["-o", str(tmp_path / "pipeline.yaml"), *NAMED, *arguments], capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_pipeline_for_a_cluster_can_be_looked_at_before_there_are_images(tmp_path, capsys):
    path = tmp_path / "pipeline.yaml"
    assert main(["-o", str(path), "--spot"]) == 0
    assert "so that no cluster can run it" in capsys.readouterr().out
    assert images(path) == {NO_IMAGE}
    assert len(list(yaml.safe_load_all(path.read_text()))) == 2
    assert "the nearest is 'nvidia-l4'" in refusal(["-o", str(path), "--gpu-type", "nvidia-l5"], capsys)


def test_the_kubernetes_objects_hold_the_same_pipeline_under_a_name_of_its_content(tmp_path):
    plain, path = tmp_path / "plain.yaml", tmp_path / "manifest.yaml"
    names = set()
    for options in ([], ["--spot"]):
        assert main(["-o", str(plain), *NAMED, *options]) == 0
        assert main(["-o", str(path), *NAMED, *options, "--k8s-manifest"]) == 0
        spec, platform = yaml.safe_load_all(plain.read_text())
        pipeline, version = yaml.safe_load_all(path.read_text())
        assert (pipeline["kind"], pipeline["metadata"]["name"]) == ("Pipeline", "dreamblock")
        assert version["spec"]["pipelineName"] == "dreamblock"
        assert version["spec"]["pipelineSpec"] == spec
        assert version["spec"]["platformSpec"] == platform
        for one in (pipeline, version):
            # Kubeflow's own kinds are in no schema of Kubernetes, but their metadata is.
            plainly = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": one["metadata"]}
            kubernetes_validate.validate(plainly, "1.33", strict=True)
            assert one["apiVersion"] == "pipelines.kubeflow.org/v2beta1"
        names.add(version["metadata"]["name"])
    assert len(names) == 2


def test_the_same_pipeline_is_the_same_file(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        main(["-o", str(tmp_path / name)])
    first, second = (yaml.safe_load((tmp_path / name).read_text()) for name in ("a.yaml", "b.yaml"))
    assert first == second


@pytest.mark.parametrize("arguments", [["--image-gpu", GPU], ["--image-cpu", "", "--image-gpu", GPU]])
def test_one_image_without_the_other_is_refused(tmp_path, capsys, arguments):
    said = refusal(["-o", str(tmp_path / "pipeline.yaml"), *arguments], capsys)
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


EXECUTORS = ("deploymentSpec", "executors")
ON_KUBERNETES = ("platforms", "kubernetes", *EXECUTORS, "exec-train-policy")


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (0, ("root", "dag", "tasks", "plan", "componentRef")),
        (0, ("root", "dag", "tasks", "start", "cachingOptions", "enableCache")),
        (0, (*EXECUTORS, "exec-plan", "container", "image")),
        (0, (*EXECUTORS, "exec-train-policy", "container", "resources", "accelerator", "resourceCount")),
        (1, (*ON_KUBERNETES, "nodeSelector")),
        (1, (*ON_KUBERNETES, "activeDeadlineSeconds")),
    ],
)
def test_a_misspelled_field_does_not_pass(tmp_path, document, place):
    path = tmp_path / "pipeline.yaml"
    main(["-o", str(path), *NAMED])
    validate(path)
    documents = list(yaml.safe_load_all(path.read_text()))
    misspell(documents[document], *place)
    path.write_text(yaml.safe_dump_all(documents))
    with pytest.raises(ValueError, match=f'no field named "{place[-1]}s"'):
        validate(path)
