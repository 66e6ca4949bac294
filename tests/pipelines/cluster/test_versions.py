"""Versions and runs on a stand-in for a cluster: python -m pytest tests/pipelines/cluster/test_versions.py"""

import re

import pytest
import yaml

from components.component import NO_IMAGE
from pipelines.cluster import versions
from viewer.commit import VARIABLE


def test_a_first_upload_makes_the_pipeline_and_the_next_of_the_same_changes_nothing(cluster, submit, compiled):
    code, output, _ = submit("upload", "--file", compiled)
    assert code == 0
    (pipeline,), (version,) = cluster.pipelines, cluster.versions
    assert pipeline["display_name"] == "dreamblock"
    assert f"version {version['display_name']} is uploaded" in output
    assert version["pipeline_spec"] == next(yaml.safe_load_all(compiled.read_text()))

    code, output, _ = submit("upload", "--file", compiled)
    assert (code, len(cluster.pipelines), len(cluster.versions)) == (0, 1, 1)
    assert "is there already" in output
    assert f"a run of it: python -m pipelines.submit run --version {version['display_name']}\n" in output


def test_a_version_of_long_ago_is_known(uploaded, submit, compiled, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.pages.PAGE", 7)
    (first,) = uploaded.versions
    others = [{"display_name": f"v{number}", "pipeline_version_id": f"id-{number}"} for number in range(20)]
    uploaded.versions += [first | other for other in others]
    assert "is there already" in submit("upload", "--file", compiled)[1]
    assert len(uploaded.versions) == 21
    assert submit("run", "--version", first["display_name"])[0] == 0


def test_a_version_is_called_by_what_it_holds_not_by_its_comments(compiled, tmp_path):
    name = versions.version_name(compiled, "")
    commented, other = tmp_path / "commented.yaml", tmp_path / "other.yaml"
    commented.write_text("# another day\n" + compiled.read_text())
    other.write_text(compiled.read_text().replace("dreamblock-cpu", "dreamblock-cpv"))
    assert versions.version_name(commented, "") == name
    assert versions.version_name(other, "") != name or "dreamblock-cpu" not in compiled.read_text()
    assert versions.version_name(compiled, "0123456789") == f"0123456789-{name}"


@pytest.mark.parametrize(("commit", "prefix"), [("1f0a9c2", "1f0a9c2-"), ("1f0a9c2-dirty", "")])
def test_the_commit_names_a_version_only_if_nothing_has_changed_since(commit, prefix, cluster, submit, monkeypatch):
    monkeypatch.setenv(VARIABLE, commit)
    image = f"registry.example/dreamblock@sha256:{'b' * 64}"
    assert submit("upload", "--image-cpu", image, "--image-gpu", image)[0] == 0
    assert re.fullmatch(f"{prefix}[0-9a-f]{{10}}", cluster.versions[0]["display_name"])


def test_what_compile_takes_upload_takes_too(cluster, submit):
    image = f"registry.example/dreamblock@sha256:{'b' * 64}"
    code, _, errors = submit("upload", "--image-cpu", image, "--image-gpu", image)
    assert code == 0, errors
    executors = cluster.versions[0]["pipeline_spec"]["deploymentSpec"]["executors"].values()
    assert {executor["container"]["image"] for executor in executors} == {image}


def test_ctrl_c_while_the_file_is_written_ends_the_upload(cluster, submit, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.write.write_pipeline", interrupted)
    image = f"registry.example/dreamblock@sha256:{'b' * 64}"
    assert submit("upload", "--image-cpu", image, "--image-gpu", image) == (130, "", "\nstopped by Ctrl-C\n")
    assert not cluster.versions


def test_a_pipeline_that_would_not_run_on_a_cluster_is_not_uploaded(cluster, submit, compiled, tmp_path):
    content = yaml.safe_load(compiled.read_text().partition("\n---\n")[0])
    local, foreign, manifest = (tmp_path / f"{name}.yaml" for name in ("local", "foreign", "manifest"))
    for executor in content["deploymentSpec"]["executors"].values():
        executor["container"]["image"] = NO_IMAGE
    local.write_text(yaml.safe_dump(content))
    foreign.write_text(yaml.safe_dump(content | {"pipelineInfo": {"name": "other"}}))
    manifest.write_text(yaml.safe_dump({"kind": "PipelineVersion", "spec": {"pipelineSpec": content}}))
    for path, sentence in (
        (local, "names no images, and runs on no cluster"),
        (foreign, "is the pipeline 'other', and not 'dreamblock'"),
        (manifest, "is a manifest for kubectl apply"),
    ):
        code, _, errors = submit("upload", "--file", path)
        assert code == 2
        assert sentence in errors
    assert cluster.asked == []


def test_a_file_that_ends_in_the_mark_between_documents_is_the_same_version(uploaded, submit, compiled, tmp_path):
    ended = tmp_path / "ended.yaml"
    ended.write_text(compiled.read_text() + "---\n")
    code, output, errors = submit("upload", "--file", ended)
    assert (code, errors) == (0, "")
    assert "is there already, with the same content" in output


def test_a_run_takes_the_newest_version_and_what_was_asked_for(uploaded, submit, compiled):
    uploaded.versions.append(uploaded.versions[0] | {"display_name": "newer", "pipeline_version_id": "id-of-newer"})
    options = ("--preset", "smoke", "--seed", "4", "--set", "data.episodes=64", "--set", "start_from=an-earlier-run")
    code, output, _ = submit("run", *options, "--root", "gs://bucket/prefix/")
    assert code == 0
    (run,) = uploaded.bodies("POST /apis/v2beta1/runs")
    assert run["pipeline_version_reference"]["pipeline_version_id"] == "id-of-newer"
    assert run["experiment_id"] == uploaded.experiments[0]["experiment_id"]
    assert run["runtime_config"]["pipeline_root"] == "gs://bucket/prefix"
    assert run["runtime_config"]["parameters"] == {
        "preset": "smoke",
        "seed": 4,
        "overrides": {"data.episodes": 64},
        "start_from": "an-earlier-run",
    }
    (run_id,) = uploaded.runs
    assert f"run {run_id} of version newer" in output
    assert f"status {run_id}" in output


def test_what_is_not_asked_for_is_left_to_the_version(uploaded, submit):
    name = uploaded.versions[0]["display_name"]
    assert submit("run", "--version", name)[0] == 0
    (run,) = uploaded.bodies("POST /apis/v2beta1/runs")
    assert run["runtime_config"] == {"parameters": {}}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--set", "start_form=x"), "has no parameter 'start_form'; did you mean 'start_from'?"),
        (("--version", "nothing-like-it"), "there is no version 'nothing-like-it' of the pipeline, the nearest of 1"),
        (
            ("--set", "gpu_type=nvidia-l5"),
            "GKE offers no GPU 'nvidia-l5' that PyTorch runs on, the nearest is 'nvidia-l4'",
        ),
        (("--set", "gpus=0"), "a node has 1, 2, 4 or 8 GPUs of type nvidia-l4, got 0"),
        (("--set", "gpus=9"), "a node has 1, 2, 4 or 8 GPUs of type nvidia-l4, got 9"),
        (("--set", "gpu_type=nvidia-b200"), "a node has 8 GPUs of type nvidia-b200, got 1"),
        (
            ("--set", "gpus=8", "--set", "policy_training.batch=100"),
            "policy_training.batch must be a multiple of the 8",
        ),
    ],
)
def test_what_the_version_does_not_take_is_not_sent(options, sentence, uploaded, submit):
    for command in (("run",), ("schedule", "nightly", "--cron", "0 3 * * *")):
        code, _, errors = submit(*command, *options)
        assert code == 2
        assert sentence in errors
        assert errors.count("\n") == 1
    assert not uploaded.runs
    assert not uploaded.recurring


def test_a_parameter_of_a_version_with_platform_settings_is_checked_too(uploaded, submit):
    (version,) = uploaded.versions
    version["pipeline_spec"] = {"pipeline_spec": version["pipeline_spec"], "platform_spec": {"platforms": {}}}
    code, _, errors = submit("run", "--set", "start_form=x")
    assert (code, "did you mean 'start_from'?" in errors) == (2, True)


def test_before_an_upload_a_run_says_what_is_missing(cluster, submit):
    code, _, errors = submit("run")
    assert code == 2
    assert "the cluster has no pipeline 'dreamblock' yet: python -m pipelines.submit upload" in errors


@pytest.mark.parametrize("option", ["-oFILE", "--output=FILE"])
def test_upload_takes_no_output_for_it_keeps_none(option, cluster, submit, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        submit("upload", option.replace("FILE", str(tmp_path / "x.yaml")))
    assert "upload keeps no file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
