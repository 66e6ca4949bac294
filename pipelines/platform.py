"""What the steps ask of Google Kubernetes Engine: machines, memory, time, and to be tried again."""

from dataclasses import dataclass

from kfp import dsl
from kfp.dsl.pipeline_channel import PipelineChannel

from pipelines.gpus import on_spot_only, require_offered

# kfp.kubernetes, which imports all of kubernetes, is imported where it is used: the in-process run asks for no cluster.

# Requests fit beside Kubeflow on an e2-standard-4, and on the smallest machine that has a GPU, an n1-standard-8.
CPU_STEP = {"cpu_request": "1", "cpu_limit": "2", "memory_request": "3Gi", "memory_limit": "8Gi"}
GPU_STEP = {"cpu_request": "4", "cpu_limit": "8", "memory_request": "12Gi", "memory_limit": "24Gi"}
SHARED_MEMORY = "4Gi"  # for the processes of a training on several GPUs; 64 MiB otherwise
RETRIES, SPOT_RETRIES = 2, 10  # a spot node may be taken back many times, and a training goes on from its checkpoint
PAUSE = 60  # seconds before a step is tried again: they do not grow, for Kubeflow cannot say a longest
WAIT = 24  # hours that a try may wait for a node on average
LONGEST = 7 * 24  # hours


@dataclass(frozen=True)
class Platform:
    """What is asked for all steps alike.

    Attributes:
        gpu_type, gpus: of a node, as `setup/gpus.tsv` lists them. A run may ask for others.
        spot: whether the trainings run on spot nodes.
        max_hours: after which a try of a step is ended.

    Raises:
        ValueError: GKE has no such node, or the time is out of range.
    """

    gpu_type: str = "nvidia-l4"
    gpus: int = 1
    spot: bool = False
    max_hours: float = 12

    def __post_init__(self):
        require_offered(self.gpu_type, self.gpus)
        if on_spot_only(self.gpu_type, self.gpus) and not self.spot:
            raise ValueError(f"Google gives nodes with {self.gpus} {self.gpu_type} on spot only: add --spot")
        if not 0 < self.max_hours <= LONGEST:
            raise ValueError(f"max_hours must be above 0 and at most {LONGEST}, a week, got {self.max_hours:g}")


def on_cpu(task: dsl.PipelineTask, platform: Platform) -> None:
    """Run a step on a node without a GPU."""
    _size(task, CPU_STEP)
    _limit(task, platform, RETRIES)


def on_gpus(task: dsl.PipelineTask, platform: Platform, selector: PipelineChannel, gpus: PipelineChannel) -> None:
    """Run a step on a node with GPUs.

    Args:
        selector: the labels of the node, known when the pipeline runs.
        gpus: how many, as a text: Kubeflow Pipelines takes a number for none, and asks for no GPU at all.
    """
    from kfp import kubernetes

    _size(task, GPU_STEP)
    task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(gpus)
    kubernetes.add_node_selector_json(task, selector)
    kubernetes.add_toleration(task, key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")
    if platform.spot:
        spot = "cloud.google.com/gke-spot"
        kubernetes.add_toleration(task, key=spot, operator="Equal", value="true", effect="NoSchedule")
        kubernetes.add_node_affinity(task, [{"key": spot, "operator": "In", "values": ["true"]}])
    kubernetes.empty_dir_mount(task, "shm", "/dev/shm", medium="Memory", size_limit=SHARED_MEMORY)
    _limit(task, platform, SPOT_RETRIES if platform.spot else RETRIES)


def _size(task: dsl.PipelineTask, size: dict[str, str]) -> None:
    task.set_cpu_request(size["cpu_request"]).set_cpu_limit(size["cpu_limit"])
    task.set_memory_request(size["memory_request"]).set_memory_limit(size["memory_limit"])


def _limit(task: dsl.PipelineTask, platform: Platform, retries: int) -> None:
    from kfp import kubernetes

    kubernetes.set_timeout(task, max(1, round(platform.max_hours * 3600)))
    # The longest time is that of all tries together, from the begin of the first: it shall never be what ends them.
    longest = (retries + 1) * (round((platform.max_hours + WAIT) * 3600) + PAUSE)
    task.set_retry(retries, backoff_duration=f"{PAUSE}s", backoff_factor=1, backoff_max_duration=f"{longest}s")
