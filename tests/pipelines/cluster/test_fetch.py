"""Films out of a bucket on a real storage server: python -m pytest tests/pipelines/cluster/test_fetch.py"""

import json

import pytest
from kubeflow_stand_in import DATA, FAILS, SUCCEEDS, stage

from components import storage

FILES = {
    "evaluation.json": b'{"schema": 1}',
    "model.gif": b"GIF89a\x00\xff\r\n",
    "policy.gif": b"GIF",
    "report.html": b"<",
}


def leave(bucket, run_id, folder, execution="0a1b2c3d", root="prefix"):
    """The evaluation of a run, as the evaluate step and Kubeflow's launcher leave it: its URI."""
    with storage.writing(folder / run_id / execution) as artifact:
        for name, content in FILES.items():
            (artifact / name).write_bytes(content)
    uri = f"{bucket}/{root}/dreamblock/{run_id}/evaluate/{execution}/evaluation"
    storage.publish(folder / run_id / execution, uri)
    return uri


@pytest.fixture
def lies(cluster, bucket):
    """Where runs lie, as the API tells it of a run that was started with a root of its own."""
    return {"runtime_config": {"parameters": {}, "pipeline_root": f"{bucket}/prefix"}}


@pytest.fixture
def fetch(submit, tmp_path):
    def run(*arguments):
        return submit("fetch", *arguments, "-o", tmp_path / "fetched")

    return run


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "manifest.json"}


def test_a_run_is_fetched_by_its_id_byte_for_byte(cluster, bucket, lies, fetch, tmp_path):
    leave(bucket, "the-run", tmp_path)
    cluster.add_run("the-run", SUCCEEDS[-1], **lies)
    code, output, _ = fetch("the-run")
    assert code == 0
    assert contents(tmp_path / "fetched" / "the-run") == FILES
    assert output.splitlines() == [str(tmp_path / "fetched" / "the-run" / name) for name in sorted(FILES)]
    assert fetch("the-run")[0] == 0


def test_by_default_it_is_the_newest_that_succeeded(cluster, bucket, lies, fetch, tmp_path):
    for run_id, state in (("older", SUCCEEDS[-1]), ("newer", SUCCEEDS[-1]), ("failed", FAILS[-1]), ("going", FAILS[0])):
        leave(bucket, run_id, tmp_path)
        cluster.add_run(run_id, state, **lies)
    assert fetch()[0] == 0
    assert [folder.name for folder in (tmp_path / "fetched").iterdir()] == ["newer"]


def test_of_a_recurring_run_it_is_the_latest_of_its_own(uploaded, submit, bucket, lies, fetch, tmp_path):
    submit("schedule", "nightly", "--cron", "0 3 * * *")
    (nightly,) = uploaded.recurring
    code, _, errors = fetch("--recurring", "nightly")
    assert (code, "none of its runs has succeeded yet" in errors) == (2, True)
    for run_id, more in (("its-first", True), ("its-second", True), ("by-hand", False)):
        leave(bucket, run_id, tmp_path)
        uploaded.add_run(run_id, SUCCEEDS[-1], **lies, recurring_run_id=nightly["recurring_run_id"] if more else None)
    assert fetch("--recurring", "nightly")[0] == 0
    assert [folder.name for folder in (tmp_path / "fetched").iterdir()] == ["its-second"]
    code, _, errors = fetch("--recurring", "nightl")
    assert (code, "the nearest of 1 is 'nightly'" in errors) == (2, True)


def test_of_a_recurring_run_that_was_replaced_the_runs_before_are_its_own_too(
    uploaded, submit, bucket, lies, fetch, tmp_path
):
    for hour in (3, 4, 5):
        submit("schedule", "nightly", "--cron", f"0 {hour} * * *")
        (nightly,) = uploaded.recurring
        if hour == 3:
            leave(bucket, "of-the-first", tmp_path)
            uploaded.add_run("of-the-first", SUCCEEDS[-1], **lies, recurring_run_id=nightly["recurring_run_id"])
    assert fetch("--recurring", "nightly")[0] == 0
    assert [folder.name for folder in (tmp_path / "fetched").iterdir()] == ["of-the-first"]
    _, output, _ = submit("list")
    (row,) = (line for line in output.splitlines() if line.startswith("of-the-first"))
    assert row.split()[-1] == "nightly"


def test_where_a_run_lies_is_known_by_its_version_or_has_to_be_said(uploaded, bucket, fetch, tmp_path):
    leave(bucket, "the-run", tmp_path, root="compiled-in")
    (version,) = uploaded.versions
    used = {"pipeline_id": version["pipeline_id"], "pipeline_version_id": version["pipeline_version_id"]}
    uploaded.add_run("the-run", SUCCEEDS[-1], pipeline_version_reference=used)
    code, _, errors = fetch("the-run")
    assert code == 2
    assert "says where it lies: --root gs://bucket/prefix" in errors
    version["pipeline_spec"]["defaultPipelineRoot"] = f"{bucket}/compiled-in"
    assert fetch("the-run")[0] == 0


def test_without_a_cluster_the_bucket_is_enough(bucket, fetch, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no kubectl, so no way to any cluster
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    leave(bucket, "the-run", tmp_path)
    assert fetch("the-run", "--root", f"{bucket}/prefix")[0] == 0
    assert contents(tmp_path / "fetched" / "the-run") == FILES
    code, _, errors = fetch("teh-run", "--root", f"{bucket}/prefix")
    assert code == 2
    assert f"there is no run 'teh-run' in {bucket}/prefix: the nearest of 1 is the-run" in errors
    storage.write_text(f"{bucket}/prefix/dreamblock/going/checkpoints/train-policy/0/training.safetensors", "some")
    code, _, errors = fetch("going", "--root", f"{bucket}/prefix")
    assert code == 2
    assert f"the run going has no films in {bucket}/prefix: it goes on, or has failed" in errors


def test_of_a_step_that_was_tried_again_the_whole_try_is_taken(cluster, bucket, lies, fetch, tmp_path):
    broken = leave(bucket, "the-run", tmp_path, "0-first-try")
    leave(bucket, "the-run", tmp_path, "1-second-try")
    storage.remove(f"{broken}/model.gif")
    cluster.add_run("the-run", SUCCEEDS[-1], **lies)
    assert fetch("the-run")[0] == 0
    assert contents(tmp_path / "fetched" / "the-run") == FILES


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (FAILS[0], "the run some-run is still going, at train-world-model, and has no films yet"),
        (FAILS[-1], "failed, at train-world-model, and has no films: python -m pipelines.submit status some-run"),
        (SUCCEEDS[-1], "the run some-run, succeeded, has no whole evaluation in gs://"),
        (stage(*DATA, state="CANCELED"), "the run some-run, cancelled, has no whole evaluation in gs://"),
    ],
)
def test_why_there_are_no_films_is_said(state, sentence, cluster, lies, fetch):
    cluster.add_run("some-run", state, **lies)
    code, _, errors = fetch("some-run")
    assert code == 2
    assert sentence in errors


def test_a_run_that_failed_after_its_evaluation_still_has_its_films(cluster, bucket, lies, fetch, tmp_path):
    leave(bucket, "the-run", tmp_path)
    cluster.add_run("the-run", stage(*DATA, ("evaluate", "SUCCEEDED"), ("promote", "FAILED"), state="FAILED"), **lies)
    assert fetch("the-run")[0] == 0


def test_of_a_file_that_arrives_altered_nothing_is_kept(cluster, bucket, lies, fetch, tmp_path, server):
    uri = leave(bucket, "the-run", tmp_path)
    cluster.add_run("the-run", SUCCEEDS[-1], **lies)
    manifest = json.loads(storage.read_text(f"{uri}/manifest.json") or "")
    manifest["files"]["model.gif"]["crc32c"] = "AAAAAA=="
    storage.write_text(f"{uri}/manifest.json", json.dumps(manifest))
    code, _, errors = fetch("the-run")
    assert code == 2
    assert "has no whole evaluation" in errors
    assert not (tmp_path / "fetched" / "the-run").exists()


def test_a_folder_that_holds_something_else_is_left_alone(cluster, bucket, lies, fetch, tmp_path):
    leave(bucket, "the-run", tmp_path)
    cluster.add_run("the-run", SUCCEEDS[-1], **lies)
    mine = tmp_path / "fetched" / "the-run" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("keep")
    code, _, errors = fetch("the-run")
    assert code == 2
    assert "is there already, and holds something else: name another folder with -o" in errors
    assert mine.read_text() == "keep"


def test_a_bucket_without_rights_or_without_existence_is_said_with_what_mends_it(cluster, bucket, lies, fetch, server):
    cluster.add_run("the-run", SUCCEEDS[-1], **lies)
    server.inject("403", "listing")
    code, _, errors = fetch("the-run")
    assert code == 1
    assert "does not let these credentials in: gcloud storage buckets add-iam-policy-binding" in errors
    server.inject()
    code, _, errors = fetch("the-run", "--root", "gs://no-such-bucket/prefix")
    assert code == 1
    assert "there is no bucket gs://no-such-bucket" in errors


def test_a_root_in_no_google_bucket_is_refused(cluster, bucket, fetch):
    cluster.add_run("the-run", SUCCEEDS[-1], runtime_config={"pipeline_root": "minio://mlpipeline/v2/artifacts"})
    code, _, errors = fetch("the-run")
    assert code == 2
    assert "got 'minio://mlpipeline/v2/artifacts'" in errors
