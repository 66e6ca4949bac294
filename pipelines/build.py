"""The pipeline: the components wired once, for Kubeflow and for the in-process run alike."""

from dataclasses import dataclass

from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from components.check import check
from components.component import NO_IMAGE
from components.evaluate import evaluate
from components.generate_data import generate_data
from components.plan import plan
from components.train_policy import train_policy
from components.train_world_model import train_world_model
from pipelines.platform import Platform, on_cpu, on_gpus


@dataclass(frozen=True)
class BuildConfig:
    """What is fixed when the pipeline is compiled. The in-process run needs none of it.

    Attributes:
        root: gs://bucket/prefix of the runs, "" for the cluster's own.
        platform: what the steps ask of a cluster, None for no cluster.
    """

    cpu_image: str = NO_IMAGE
    gpu_image: str = NO_IMAGE
    root: str = ""
    platform: Platform | None = None


def build_pipeline(config: BuildConfig) -> BaseComponent:
    """The pipeline "dreamblock".

    plan ──> generate data (parallel shards) ──> train world model ──> check ──> train policy ──> evaluate
    """
    platform = config.platform

    @dsl.pipeline(
        name="dreamblock",
        description="A world model learns a block from pixels, a policy in its dream.",
        pipeline_root=config.root or None,
    )
    def dreamblock(
        preset: str = "laptop",
        seed: int = 0,
        overrides: dict = {},  # noqa: B006  # KFP's way to say it
        start_from: str = "",  # id of a run whose checkpoints are gone on from
        gpu_type: str = platform.gpu_type if platform else "",  # of the trainings' nodes
        gpus: int = platform.gpus if platform else 0,  # of each training
    ):
        planned = plan(preset=preset, seed=seed, overrides=overrides, gpu_type=gpu_type, gpus=gpus)
        with dsl.ParallelFor(planned.outputs["shards"], name="shards") as shard:
            data = generate_data(shard=shard)
        # To each consumer a Collected of its own, since the compiler changes the one that it is given.
        trained = train_world_model(
            config=planned.outputs["world_model"],
            episodes=dsl.Collected(data.outputs["episodes"]),
            start_from=start_from,
        )
        world_model = trained.outputs["world_model"]
        checked = check(config=planned.outputs["check"], world_model=world_model)
        learned = train_policy(
            config=planned.outputs["policy"],
            episodes=dsl.Collected(data.outputs["episodes"]),
            world_model=world_model,
            start_from=start_from,
        )
        learned.after(checked)
        evaluated = evaluate(
            configuration=planned.outputs["configuration"],
            run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            world_model=world_model,
            policy=learned.outputs["policy"],
        )
        # A cached task leaves nothing under the new run's id, where the films are looked for.
        evaluated.set_caching_options(False)

        for task in (planned, data, checked, evaluated):
            task.set_container_image(config.cpu_image)
            if platform:
                on_cpu(task, platform)
        for task in (trained, learned):
            task.set_container_image(config.gpu_image)
            if platform:
                on_gpus(task, platform, planned.outputs["node_selector"], planned.outputs["gpus"])

    return dreamblock
