"""Each request that a command makes, held to KFP's own description of its API by Prism (npm), which answers it too.

python -m pytest tests/pipelines/cluster/test_prism.py -m long
"""

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core.exceptions import Conflict
from kubernetes.config import kube_config

from components import storage
from components.storage.bucket import client

DESCRIPTION = Path(__file__).parents[4] / "shared" / "reference" / "kfp_api.swagger.json"
PRISM = "@stoplight/prism-cli@5.14.2"
ROOT = "gs://bucket-of-the-runs/prefix"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not DESCRIPTION.exists(), reason="KFP's description of its API lies in ../shared"),
]


def readable(description: Any) -> Any:
    """The description without what Prism cannot read, or would ask for in vain: formats of gRPC's, and credentials."""
    if isinstance(description, list):
        return [readable(item) for item in description]
    if not isinstance(description, dict):
        return description
    kept = {
        key: readable(value) for key, value in description.items() if key not in ("securityDefinitions", "security")
    }
    if kept.get("format") == "byte":
        del kept["format"]
    if kept.get("format") == "int64" and kept.get("type") == "string":
        kept["type"] = "integer"
    return kept


@pytest.fixture(scope="module")
def prism(tmp_path_factory):
    """The address of Prism, which checks each request and answers with what the description allows."""
    description = readable(json.loads(DESCRIPTION.read_text()))
    definitions = description["definitions"]
    del definitions["protobufAny"]["properties"]["value"]
    definitions["v2beta1RuntimeState"]["default"] = "SUCCEEDED"  # what Prism answers, of all that is allowed
    definitions["v2beta1RuntimeConfig"]["properties"]["pipeline_root"]["example"] = ROOT
    definitions["v2beta1RecurringRun"]["properties"]["display_name"]["example"] = "nightly"
    folder = tmp_path_factory.mktemp("prism")
    (folder / "api.json").write_text(json.dumps(description))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (folder / "log").open("w") as log:
        command = ["npx", "--yes", PRISM, "mock", "--host", "127.0.0.1", "--port", str(port), "api.json"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180  # npm fetches it the first time
        while not answers(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/apis/v2beta1/healthz", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture
def submit_to_prism(prism, submit, monkeypatch, tmp_path):
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    return lambda *arguments: submit(*arguments, "--host", prism)


def test_a_request_that_the_description_does_not_allow_is_refused(prism):
    """Or the tests below would say nothing."""
    wrong = {"max_concurrency": "many"}
    assert requests.post(f"{prism}/apis/v2beta1/recurringruns", json=wrong, timeout=10).status_code == 422
    assert requests.get(f"{prism}/apis/v2beta1/nothing", timeout=10).status_code == 404


def test_upload_asks_as_the_description_wants_it(submit_to_prism, compiled):
    code, output, errors = submit_to_prism("upload", "--file", compiled)
    assert (code, errors) == (0, "")
    assert "is uploaded" in output


def test_a_new_pipeline_is_made_as_the_description_wants_it(submit_to_prism, compiled, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.versions._pipeline", lambda client: None)
    assert submit_to_prism("upload", "--file", compiled)[0] == 0


def test_run_asks_as_the_description_wants_it(submit_to_prism):
    options = ("--preset", "smoke", "--seed", "3", "--set", "data.episodes=64", "--root", ROOT, "--wait")
    code, output, errors = submit_to_prism("run", *options)
    assert (code, errors) == (0, "")
    assert output.startswith("run string of version string\nstring: succeeded\n")


def test_schedule_asks_as_the_description_wants_it_replaces_and_removes(submit_to_prism):
    code, output, errors = submit_to_prism("schedule", "nightly", "--cron", "0 3 * * *", "--preset", "smoke")
    assert (code, errors) == (0, "")
    assert "At 03:00 every day, in UTC, instead of the schedule before" in output
    assert submit_to_prism("schedule", "nightly", "--remove")[0] == 0


@pytest.mark.parametrize("command", [["status"], ["status", "some-run"]])
def test_status_reads_what_the_description_promises(command, submit_to_prism):
    code, output, _ = submit_to_prism(*command)
    assert code == 0
    assert output.startswith("run: string, succeeded after 0 s, begun 2019-08-24 14:15 UTC\n")


def test_list_reads_what_the_description_promises(submit_to_prism):
    code, output, errors = submit_to_prism("list")
    assert (code, errors) == (0, "")
    assert "string" in output


@pytest.mark.parametrize("which", [[], ["some-run"], ["--recurring", "nightly"]])
def test_fetch_finds_a_run_of_the_api_in_the_bucket(which, submit_to_prism, bucket, tmp_path):
    with suppress(Conflict):
        client().create_bucket("bucket-of-the-runs")
    with storage.writing(tmp_path / "made") as folder:
        (folder / "model.gif").write_bytes(b"GIF89a\x00\xff")
    storage.publish(tmp_path / "made", f"{ROOT}/dreamblock/string/evaluate/0a1b/evaluation")
    code, _, errors = submit_to_prism("fetch", "-o", tmp_path / "fetched", *which)
    assert (code, errors) == (0, "")
    assert (tmp_path / "fetched" / "string" / "model.gif").read_bytes() == b"GIF89a\x00\xff"
