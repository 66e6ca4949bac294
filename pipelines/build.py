"""The pipeline: the components wired once, for Kubeflow and for the in-process run alike."""

from dataclasses import dataclass

from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from components.check import check
from components.component import NO_IMAGE
from components.evaluate import evaluate
from components.generate_data import generate_data
from components.plan import plan
from components.promote import promote
from components.start import start
from components.train_policy import train_policy
from components.train_world_model import train_world_model
from pipelines.platform import Platform, on_cpu, on_gpus


@dataclass(frozen=True)
class BuildConfig:
    """What is fixed when the pipeline is compiled. The in-process run needs none of it.

    Attributes:
        root: gs://bucket/prefix of the runs, "" for the cluster's own.
        platform: what the steps ask of a cluster, None for no cluster.
        cache: whether steps may be taken from earlier runs.
    """

    cpu_image: str = NO_IMAGE
    gpu_image: str = NO_IMAGE
    root: str = ""
    platform: Platform | None = None
    cache: bool = True


def build_pipeline(config: BuildConfig) -> BaseComponent:
    """The pipeline "dreamblock".

    plan ──> start, generate data (parallel shards) ──> train world model ──> check ──> train policy ──> evaluate
    ──> promote

    Without the name of a champion, `start` puts out no weights and `promote` does nothing: steps of seconds, in place
    of conditions, which would be other graphs to read, to draw and to test.
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
        champion: str = "",  # name of the lineage that is begun from, and whose champion is to be beaten
        gpu_type: str = platform.gpu_type if platform else "",  # of the trainings' nodes
        gpus: int = platform.gpus if platform else 0,  # of each training
    ):
        planned = plan(preset=preset, seed=seed, overrides=overrides, champion=champion, gpu_type=gpu_type, gpus=gpus)
        planned.set_caching_options(False)  # it may read the clock
        started = start(start=planned.outputs["start"], start_from=start_from)
        with dsl.ParallelFor(planned.outputs["shards"], name="shards") as shard:
            data = generate_data(shard=shard)
        # To each consumer a Collected of its own, since the compiler changes the one that it is given.
        trained = train_world_model(
            config=planned.outputs["world_model"],
            episodes=dsl.Collected(data.outputs["episodes"]),
            initial=started.outputs["initial_world_model"],
            start_from=start_from,
        )
        world_model = trained.outputs["world_model"]
        checked = check(config=planned.outputs["check"], world_model=world_model)
        learned = train_policy(
            config=planned.outputs["policy"],
            episodes=dsl.Collected(data.outputs["episodes"]),
            world_model=world_model,
            initial=started.outputs["initial_policy"],
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
        promoted = promote(
            configuration=planned.outputs["configuration"],
            champion=champion,
            run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            world_model=world_model,
            policy=learned.outputs["policy"],
            evaluation=evaluated.outputs["evaluation"],
        )
        promoted.set_caching_options(False)  # who is champion changes

        for task in (planned, started, data, checked, evaluated, promoted):
            task.set_container_image(config.cpu_image)
            if platform:
                on_cpu(task, platform)
        for task in (trained, learned):
            task.set_container_image(config.gpu_image)
            if platform:
                on_gpus(task, platform, planned.outputs["node_selector"], planned.outputs["gpus"])
        if not config.cache:
            for task in (started, data, trained, checked, learned):
                task.set_caching_options(False)

    return dreamblock
