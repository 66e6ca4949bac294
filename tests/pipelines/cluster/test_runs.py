"""Runs on a stand-in for a cluster, watched and explained: python -m pytest tests/pipelines/cluster/test_runs.py"""

import io
import json
import threading
from types import SimpleNamespace

import pytest
from kfp_server_api import ApiClient, V2beta1Run
from kubeflow_stand_in import DATA, FAILS, SUCCEEDS, stage
from kubernetes.config import kube_config

from pipelines.cluster import pods, tables, watch

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watch, "EVERY", 0.01)


@pytest.fixture
def kubernetes(cluster, monkeypatch, tmp_path):
    """The cluster with a kubeconfig that leads to it, as `gcloud container clusters get-credentials` writes one."""
    entry = {"name": "stand-in"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "stand-in",
        "contexts": [entry | {"context": {"cluster": "stand-in", "user": "stand-in"}}],
        "clusters": [entry | {"cluster": {"server": cluster.url}}],
        "users": [entry | {"user": {}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return cluster


def pod(run_id, node, phase, **status):
    return {
        "metadata": {
            "name": f"dreamblock-x7k2p-system-container-impl-{node.count('.')}",
            "labels": {"pipeline/runid": run_id},
            "annotations": {"workflows.argoproj.io/node-name": node},
            "creationTimestamp": "2026-11-23T04:00:00Z",
        },
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": phase, **status},
    }


def failed_pod(run_id, node="dreamblock-x7k2p.root.train-world-model.executor(0)", **status):
    end = {"terminated": {"exitCode": 1, "reason": "Error"}}
    ended = {"name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": end}
    return pod(run_id, node, "Failed", **({"containerStatuses": [ended]} | status))


def test_a_run_that_is_waited_for_tells_each_change_once_and_where_its_films_are(uploaded, submit):
    code, output, errors = submit("run", "--wait")
    (run_id,) = uploaded.runs
    assert (code, errors) == (0, "")
    assert output.splitlines()[1:-2] == [
        "plan: succeeded",
        "generate-data × 2: 1 succeeded, 1 running",
        "generate-data × 2: succeeded",
        "train-world-model: running",
        "train-world-model: succeeded",
        "evaluate: succeeded",
    ]
    assert output.endswith(f"its films: python -m pipelines.submit fetch {run_id}\n")


def test_a_run_that_fails_ends_with_the_step_and_the_last_lines_of_its_pod(uploaded, submit, kubernetes):
    uploaded.stages = FAILS
    uploaded.pods = [failed_pod("3f2c0000-0000-4000-8000-000000000000")]
    uploaded.logs[uploaded.pods[0]["metadata"]["name"]] = "\n".join(f"line {number}" for number in range(100))
    code, output, _ = submit("run", "--wait")
    assert code == 1
    assert "train-world-model failed in the pod dreamblock-x7k2p-system-container-impl-3 (Error, exit code 1)" in output
    assert "    line 80\n" in output
    assert "line 79" not in output


def test_a_connection_that_breaks_is_taken_up_again(uploaded, submit, monkeypatch):
    uploaded.refusals["GET /apis/v2beta1/runs/"] = (503, "the server is restarted")
    threading.Timer(0.3, uploaded.refusals.clear).start()
    code, output, errors = submit("run", "--wait")
    assert code == 0
    assert errors.count("trying again") == 1
    assert "503" in errors
    assert "evaluate: succeeded" in output


def test_a_cluster_that_does_not_come_back_is_given_up(uploaded, submit, monkeypatch):
    monkeypatch.setattr(watch, "PATIENCE", 0.1)
    uploaded.refusals["GET /apis/v2beta1/runs/"] = (503, "the server is gone")
    code, _, errors = submit("run", "--wait")
    assert code == 1
    assert "the run goes on: python -m pipelines.submit status" in errors
    assert errors.splitlines()[-1].endswith("refuses: 503 Service Unavailable")


def test_ctrl_c_leaves_the_run_alone_and_says_how_to_see_it(uploaded, submit, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", interrupted)
    code, _, errors = submit("run", "--wait")
    (run_id,) = uploaded.runs
    assert code == 130
    assert f"the run goes on: python -m pipelines.submit status {run_id}" in errors
    assert not uploaded.bodies("POST /apis/v2beta1/runs/")


def test_on_a_terminal_the_table_is_drawn_over_itself():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    show = tables.watcher(screen)
    for moment in SUCCEEDS[1:3]:
        answer = SimpleNamespace(data=json.dumps({"run_id": "r", "created_at": "2026-11-23T04:00:00Z"} | moment))
        show(ApiClient().deserialize(answer, V2beta1Run))
    first, second = screen.getvalue().split("\x1b[")[0], screen.getvalue().split("\x1b[J")[1]
    assert f"\x1b[{first.count(chr(10))}F" in screen.getvalue()
    assert "train-world-model" not in first
    assert "train-world-model" in second


def test_status_shows_the_steps_with_their_states_and_times_and_nothing_else(cluster, submit):
    cluster.add_run("an-older", FAILS[-1])
    cluster.add_run("the-newest", SUCCEEDS[-1], runtime_config={"parameters": {"preset": "smoke", "seed": 4}})
    code, output, _ = submit("status")
    assert code == 0
    head, parameters, _, titles, _, *rows = output.rstrip().splitlines()
    assert head == "run: the-newest, succeeded after 12 min 04 s, begun 2026-11-23 04:00 UTC"
    assert parameters == "parameters: preset smoke, seed 4"
    assert titles.split() == ["step", "state", "began", "took"]
    assert [row.split("  ")[0] for row in rows] == ["plan", "generate-data × 2", "train-world-model", "evaluate"]
    assert rows[0].split() == ["plan", "succeeded", "2026-11-23", "04:00", "1", "min", "05", "s"]


def test_status_of_a_failed_run_without_kubectl_still_names_the_step(cluster, submit):
    cluster.add_run("failed", FAILS[-1])
    code, output, _ = submit("status", "failed")
    assert code == 0
    assert "train-world-model failed; kubectl is set up for no cluster" in output


@pytest.mark.parametrize(
    ("node", "status", "reason"),
    [
        ("dreamblock-x7k2p.root.train-world-model.executor", {"reason": "Evicted", "message": "low"}, "Evicted: low"),
        ("dreamblock-x7k2p.root.train-world-model-driver", {}, "Error, exit code 1"),
        ("dreamblock-x7k2p.root.for-loop-1.iteration-item(0:0).train-world-model.executor", {}, "Error, exit code 1"),
    ],
)
def test_the_pod_is_found_by_its_step_wherever_it_stands_in_the_graph(node, status, reason, kubernetes, submit):
    kubernetes.add_run("failed", FAILS[-1])
    other = failed_pod("failed", "dreamblock-x7k2p.root.another-step.deeper.than.that.executor")
    kubernetes.pods = [failed_pod("failed", node, **status), other, failed_pod("another run")]
    kubernetes.logs[kubernetes.pods[0]["metadata"]["name"]] = "out of luck\n"
    _, output, _ = submit("status", "failed")
    assert f"({reason}). Its last lines:\n    out of luck\n" in output


def test_a_pod_that_is_gone_is_said_to_be(kubernetes, submit):
    kubernetes.add_run("failed", FAILS[-1])
    _, output, _ = submit("status", "failed", "--context", "stand-in")
    assert "train-world-model failed; the pod of train-world-model is gone, and its log with it" in output


def test_a_pod_that_kubectls_current_cluster_has_not_may_be_in_that_of_the_host(kubernetes, submit):
    kubernetes.add_run("failed", FAILS[-1])
    _, output, _ = submit("status", "failed")
    assert "kubectl's current cluster has no pod of train-world-model: it is gone, or http://" in output
    assert "is of another cluster, which --context names" in output


def test_a_pod_that_never_began_has_no_log_but_a_reason(kubernetes, submit):
    kubernetes.add_run("failed", FAILS[-1])
    kubernetes.pods = [failed_pod("failed", reason="Preempting", message="spot node went")]
    _, output, _ = submit("status", "failed")
    assert "(Preempting: spot node went). Its last lines:\n    (no log: 404 Not Found)" in output


def test_a_log_that_does_not_come_is_no_reason_to_say_nothing(kubernetes, submit, monkeypatch):
    kubernetes.add_run("failed", FAILS[-1])
    kubernetes.pods = [failed_pod("failed")]
    answer, silent = kubernetes.answer, threading.Event()

    def without_log(method, path, query, body):
        if path.endswith("/log"):
            silent.wait()
        return answer(method, path, query, body)

    monkeypatch.setattr(kubernetes, "answer", without_log)
    monkeypatch.setattr(pods, "TIMEOUT", (1, 1))
    code, output, _ = submit("status", "failed")
    silent.set()
    assert code == 0
    assert "(Error, exit code 1). Its last lines:\n    (no log: ReadTimeoutError)" in output


def test_a_step_whose_preparation_failed_is_named_as_the_failing_one(cluster, submit):
    cluster.add_run("failed", stage(*DATA, ("train-policy-driver", "FAILED"), state="FAILED"))
    _, output, _ = submit("status", "failed")
    assert "train-policy failed; " in output


def test_a_run_that_failed_before_any_step_says_what_the_cluster_says(cluster, submit):
    cluster.add_run("failed", stage(state="FAILED"), error={"code": 3, "message": "the service account is missing"})
    _, output, _ = submit("status", "failed")
    assert "the run failed and no step did: the service account is missing" in output


def test_status_of_a_run_that_is_stuck_says_what_it_waits_for(kubernetes, submit):
    kubernetes.add_run("going", stage(*DATA, ("train-world-model", "PENDING")))
    why = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes have a GPU"}
    pulls = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    image = {"name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": pulls}
    node = "dreamblock-x7k2p.root.train-world-model.executor"
    kubernetes.pods = [pod("going", node, "Pending", conditions=[why], containerStatuses=[image])]
    code, output, _ = submit("status", "going")
    assert code == 0
    assert "train-world-model  pending" in output
    assert "Unschedulable: 0/3 nodes have a GPU" in output
    assert "ImagePullBackOff: no such image" in output


def test_a_run_id_that_does_not_exist_is_answered_with_the_nearest_or_the_newest(cluster, submit):
    code, _, errors = submit("status", UNKNOWN)
    assert (code, errors.rpartition(": ")[2]) == (2, "there are none yet\n")
    cluster.add_run("3f2c0000-0000-4000-8000-000000000000", SUCCEEDS[-1])
    cluster.add_run("aaaaaaaa-aaaa-4aaa-baaa-aaaaaaaaaaaa", SUCCEEDS[-1])
    for almost in ("3f2c", "3f2c0000-0000-4000-8000-000000000001"):
        code, _, errors = submit("status", almost)
        assert code == 2
        assert "the nearest is 3f2c0000-0000-4000-8000-000000000000" in errors
    code, _, errors = submit("status", "!")
    assert "there is no run '!': the newest is aaaaaaaa-aaaa-4aaa-baaa-aaaaaaaaaaaa" in errors


def test_a_cluster_without_runs_says_how_to_start_one(cluster, submit):
    code, _, errors = submit("status")
    assert (code, "there are no runs yet: python -m pipelines.submit run" in errors) == (2, True)
