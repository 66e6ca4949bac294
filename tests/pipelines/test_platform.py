"""What the steps ask of a cluster: python -m pytest tests/pipelines/test_platform.py"""

import json
import re

import kubernetes_validate
import pytest
import yaml
from google.protobuf.json_format import ParseDict
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec import pipeline_spec_pb2
from tiny_run import TINY

import local_runner
from components.plan import plan
from pipelines.build import BuildConfig
from pipelines.gpus import TABLE, offered, require_offered
from pipelines.platform import Platform
from pipelines.root import bucket_root
from pipelines.write import write_pipeline

TRAININGS = {"train-world-model", "train-policy"}
STEPS = TRAININGS | {"plan", "generate-data", "check", "evaluate", "start", "promote"}

# The platform part of a pipeline for spot nodes, as a person would write it.
CPU = {"activeDeadlineSeconds": "21600"}
GPU = yaml.safe_load("""
activeDeadlineSeconds: '21600'
emptyDirMounts:
- {volumeName: shm, mountPath: /dev/shm, medium: Memory, sizeLimit: 4Gi}
nodeAffinity:
- matchExpressions:
  - {key: cloud.google.com/gke-spot, operator: In, values: ['true']}
nodeSelector:
  nodeSelectorJson:
    taskOutputParameter: {producerTask: plan, outputParameterKey: node_selector}
tolerations:
- {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
- {key: cloud.google.com/gke-spot, operator: Equal, value: 'true', effect: NoSchedule}
""")
RESOURCES = yaml.safe_load("""
resourceCpuRequest: '4'
resourceCpuLimit: '8'
resourceMemoryRequest: 12Gi
resourceMemoryLimit: 24Gi
accelerator:
  type: nvidia.com/gpu
  resourceType: nvidia.com/gpu
  resourceCount: "{{$.inputs.parameters['pipelinechannel--plan-gpus']}}"
""")


def compiled(folder, **asked):
    """The two documents of a pipeline for a cluster: the pipeline, and what it asks of the platform."""
    write_pipeline(folder / "p.yaml", BuildConfig("cpu:1", "gpu:1", "gs://runs/prefix", Platform(**asked)))
    return list(yaml.safe_load_all((folder / "p.yaml").read_text()))


@pytest.fixture(scope="module")
def spot(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("spot"), gpu_type="nvidia-l4", gpus=2, spot=True, max_hours=6)


@pytest.fixture(scope="module")
def on_demand(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("on-demand"))


def steps(spec):
    """The tasks that run something, also those in the loop."""
    dags = [spec["root"]["dag"], *(one["dag"] for one in spec["components"].values() if "dag" in one)]
    tasks = {name: task for dag in dags for name, task in dag["tasks"].items()}
    return {name: task for name, task in tasks.items() if name in STEPS}


def container(spec, step):
    return spec["deploymentSpec"]["executors"][f"exec-{step}"]["container"]


def asked(platform, step):
    return platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][f"exec-{step}"]


def test_the_trainings_ask_for_spot_nodes_with_gpus_and_the_others_for_none(spot):
    assert spot[1] == {
        "platforms": {
            "kubernetes": {
                "deploymentSpec": {
                    "executors": {f"exec-{step}": GPU if step in TRAININGS else CPU for step in sorted(STEPS)}
                }
            }
        }
    }


def test_on_demand_nodes_are_asked_for_without_a_word_of_spot(on_demand):
    assert "spot" not in yaml.safe_dump(on_demand[1])
    for step in TRAININGS:
        assert [one["key"] for one in asked(on_demand[1], step)["tolerations"]] == ["nvidia.com/gpu"]


def test_the_resources_of_a_training_are_these(spot):
    for step in TRAININGS:
        resources = container(spot[0], step)["resources"]
        assert {name: resources[name] for name in RESOURCES} == RESOURCES
    for step in STEPS - TRAININGS:
        resources = container(spot[0], step)["resources"]
        assert "accelerator" not in resources
        assert (resources["resourceCpuRequest"], resources["resourceMemoryLimit"]) == ("1", "8Gi")


def test_every_step_is_tried_again_after_a_minute_and_on_spot_nodes_more_often(spot, on_demand):
    for (spec, _), of_trainings in ((spot, 10), (on_demand, 2)):
        policies = {name: dict(task["retryPolicy"]) for name, task in steps(spec).items()}
        for policy in policies.values():
            del policy["backoffMaxDuration"]
        assert policies == {
            step: {
                "maxRetryCount": of_trainings if step in TRAININGS else 2,
                "backoffDuration": "60s",
                "backoffFactor": 1,
            }
            for step in STEPS
        }


def test_there_is_time_for_all_tries_of_a_step_be_each_as_long_as_it_may(spot, on_demand):
    """Kubeflow counts the longest backoff from the begin of the first try, as Argo does, and not by the pause."""
    for spec, platform in (spot, on_demand):
        for step, task in steps(spec).items():
            policy = {name: float(str(value).removesuffix("s")) for name, value in task["retryPolicy"].items()}
            tries, seconds = policy["maxRetryCount"] + 1, float(asked(platform, step)["activeDeadlineSeconds"])
            assert policy["backoffMaxDuration"] > tries * seconds + (tries - 1) * policy["backoffDuration"]


def test_the_runs_lie_under_the_root_and_the_run_may_ask_for_other_gpus(spot):
    assert spot[0]["defaultPipelineRoot"] == "gs://runs/prefix"
    parameters = spot[0]["root"]["inputDefinitions"]["parameters"]
    assert (parameters["gpu_type"]["defaultValue"], parameters["gpus"]["defaultValue"]) == ("nvidia-l4", 2)
    given = spot[0]["root"]["dag"]["tasks"]["plan"]["inputs"]["parameters"]
    assert [given[name] for name in ("gpu_type", "gpus")] == [
        {"componentInputParameter": "gpu_type"},
        {"componentInputParameter": "gpus"},
    ]


def test_the_number_of_gpus_reaches_the_cluster_as_a_text(spot):
    """Kubeflow's driver reads a resource's parameter as a text; a number is none to it, and there would be no GPU."""
    assert spot[0]["components"]["comp-plan"]["outputDefinitions"]["parameters"]["gpus"]["parameterType"] == "STRING"


def test_every_field_is_one_of_kubeflows_messages(spot, on_demand):
    for spec, platform in (spot, on_demand):
        ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
        for step in STEPS:
            ParseDict(asked(platform, step), KubernetesExecutorConfig())


def pod(spec, platform, step):
    """The pod of a step in place of Kubeflow's driver, which puts it together so."""
    outputs = plan.python_func("smoke", 0, {}, "nvidia-l4", 2)
    planned = dict(zip(plan.component_spec.outputs, outputs, strict=True))
    config, asks = asked(platform, step), container(spec, step)["resources"]
    limits = {"cpu": asks["resourceCpuLimit"], "memory": asks["resourceMemoryLimit"]}
    if "accelerator" in asks:
        (output,) = re.findall(r"plan-(\w+)", asks["accelerator"]["resourceCount"])
        limits[asks["accelerator"]["resourceType"]] = planned[output]
    mounts = config.get("emptyDirMounts", [])
    selector = config.get("nodeSelector", {}).get("nodeSelectorJson", {}).get("taskOutputParameter", {})
    terms = config.get("nodeAffinity", [])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": step},
        "spec": {
            "activeDeadlineSeconds": int(config["activeDeadlineSeconds"]),
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            }
            if terms
            else {},
            "nodeSelector": planned[selector["outputParameterKey"]] if selector else {},
            "tolerations": config.get("tolerations", []),
            "volumes": [
                {"name": one["volumeName"], "emptyDir": {"medium": one["medium"], "sizeLimit": one["sizeLimit"]}}
                for one in mounts
            ],
            "containers": [
                {
                    "name": "main",
                    "image": container(spec, step)["image"],
                    "volumeMounts": [{"name": one["volumeName"], "mountPath": one["mountPath"]} for one in mounts],
                    "resources": {
                        "requests": {"cpu": asks["resourceCpuRequest"], "memory": asks["resourceMemoryRequest"]},
                        "limits": limits,
                    },
                }
            ],
        },
    }


@pytest.mark.parametrize("step", sorted(STEPS))
def test_the_pod_that_comes_of_it_is_one_that_kubernetes_takes(spot, step):
    made = pod(spot[0], spot[1], step)
    kubernetes_validate.validate(made, "1.33", strict=True)
    gpus = made["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu")
    assert (gpus, made["spec"]["nodeSelector"]) == (
        ("2", {"cloud.google.com/gke-accelerator": "nvidia-l4"}) if step in TRAININGS else (None, {})
    )


@pytest.mark.long
def test_a_pipeline_for_a_cluster_runs_in_this_process_as_well(spot, tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump_all(spot))
    runner = ["--pipeline", str(path), "--root", str(tmp_path), "--run-id", "here", "--preset", "smoke"]
    assert local_runner.main([*runner, "--set", f"overrides={json.dumps(TINY)}"]) == 0
    assert (tmp_path / "dreamblock/here/evaluate/0/evaluation/evaluation.json").exists()


def test_every_node_that_setup_can_make_can_be_asked_for():
    lines = [line.split() for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == sum(map(len, offered().values()))
    for kind, count, *_ in lines:
        require_offered(kind, int(count))


def test_a_node_that_google_gives_on_spot_only_is_asked_for_on_spot():
    with pytest.raises(ValueError, match="nodes with 4 nvidia-h100-80gb on spot only: add --spot"):
        Platform("nvidia-h100-80gb", 4)
    assert Platform("nvidia-h100-80gb", 4, spot=True).spot
    assert Platform("nvidia-h100-80gb", 8).gpus == 8


@pytest.mark.parametrize(
    ("gpu_type", "gpus", "said"),
    [
        ("nvidia-l5", 1, "no GPU 'nvidia-l5' that PyTorch runs on, the nearest is 'nvidia-l4'"),
        ("A100", 1, "the nearest is 'nvidia-a100-80gb'"),
        ("NVIDIA_TESLA_T4", 1, "the nearest is 'nvidia-tesla-t4'"),
        ("nvidia-tesla-v100", 1, "the nearest is 'nvidia-tesla-a100'"),
        ("", 1, "no GPU '' that PyTorch runs on"),
        ("nvidia-l4", 0, "a node has 1, 2, 4 or 8 GPUs of type nvidia-l4, got 0"),
        ("nvidia-l4", 9, "a node has 1, 2, 4 or 8 GPUs of type nvidia-l4, got 9"),
        ("nvidia-l4", -1, "got -1"),
        ("nvidia-tesla-t4", 8, "a node has 1, 2 or 4 GPUs of type nvidia-tesla-t4, got 8"),
        ("nvidia-b200", 1, "a node has 8 GPUs of type nvidia-b200, got 1"),
    ],
)
def test_a_gpu_that_gke_does_not_have_is_refused(gpu_type, gpus, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Platform(gpu_type, gpus)


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), 169])
def test_a_time_limit_that_makes_no_sense_is_refused(hours):
    with pytest.raises(ValueError, match="max_hours must be above 0 and at most 168, a week, got"):
        Platform(max_hours=hours)


@pytest.mark.parametrize("uri", ["gs://my-dreams", "gs://my-dreams/", "gs://a_b.c-1/some/prefix/"])
def test_a_root_is_a_place_in_a_bucket(uri):
    assert bucket_root(uri) == uri.rstrip("/")


@pytest.mark.parametrize(
    "uri", ["", "runs", "gs://", "s3://my-dreams", "/gs://my-dreams", "minio://mlpipeline/v2/artifacts"]
)
def test_a_root_that_is_no_bucket_is_refused(uri):
    with pytest.raises(ValueError, match=re.escape(f"lie in a bucket, gs://bucket/prefix, got {uri!r}")):
        bucket_root(uri)


@pytest.mark.parametrize(
    "name", ["ab", "My-Dreams", "my dreams", "-dreams", "dreams-", "a..b", "goog-dreams", "my-google-1", "192.168.5.4"]
)
def test_a_bucket_name_that_breaks_the_rules_is_refused(name):
    with pytest.raises(ValueError, match=re.escape(f"got {name!r}")):
        bucket_root(f"gs://{name}/prefix")
