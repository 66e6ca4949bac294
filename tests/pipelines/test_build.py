"""How the pipeline is wired, and that it cannot be wired wrongly: python -m pytest tests/pipelines/test_build.py"""

import pytest
import yaml
from kfp import dsl
from kfp.dsl.types.type_utils import InconsistentTypeException

from components.check import check
from components.evaluate import evaluate
from components.generate_data import generate_data
from components.plan import plan
from components.promote import promote
from components.start import start
from components.train_policy import train_policy
from components.train_world_model import train_world_model
from pipelines.build import BuildConfig
from pipelines.engine.spec import Spec, load_spec, task_order, upstream
from pipelines.write import write_pipeline


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    write_pipeline(path, BuildConfig("cpu:1", "gpu:1"))
    return path


@pytest.fixture(scope="module")
def spec(path) -> Spec:
    return load_spec(path)


def test_the_stages_follow_each_other(spec):
    tasks = spec.root.dag.tasks
    (loop,) = (name for name, task in tasks.items() if task.WhichOneof("iterator"))
    assert {name: upstream(task) for name, task in tasks.items()} == {
        "plan": set(),
        loop: {"plan"},
        "start": {"plan"},
        "train-world-model": {"plan", loop, "start"},
        "check": {"plan", "train-world-model"},
        "train-policy": {"plan", loop, "start", "train-world-model", "check"},
        "evaluate": {"plan", "train-world-model", "train-policy"},
        "promote": {"plan", "train-world-model", "train-policy", "evaluate"},
    }


def test_the_data_is_made_in_parallel_one_task_a_shard(spec):
    (loop,) = (task for task in spec.root.dag.tasks.values() if task.WhichOneof("iterator"))
    items = loop.inputs.parameters[loop.parameter_iterator.items.input_parameter]
    assert items.task_output_parameter.producer_task == "plan"
    assert items.task_output_parameter.output_parameter_key == "shards"
    assert loop.iterator_policy.parallelism_limit == 0, "no limit"
    assert task_order(spec.component(loop).dag) == ["generate-data"]


def test_what_reads_the_clock_or_who_is_champion_and_the_evaluation_are_never_taken_from_a_cache(path):
    tasks = yaml.safe_load(path.read_text())["root"]["dag"]["tasks"]
    cached = {name: task.get("cachingOptions", {}).get("enableCache", False) for name, task in tasks.items()}
    assert {name for name, yes in cached.items() if not yes} - {"for-loop-1"} == {"plan", "evaluate", "promote"}


def test_all_steps_can_be_kept_from_the_cache(tmp_path):
    path = tmp_path / "pipeline.yaml"
    write_pipeline(path, BuildConfig(cache=False))
    assert "enableCache: true" not in path.read_text()


def test_the_trainings_alone_ask_for_the_large_image(spec):
    images = {label: executor.container.image for label, executor in spec.executors.items()}
    large = {"exec-train-world-model", "exec-train-policy"}
    assert images == {label: "gpu:1" if label in large else "cpu:1" for label in spec.executors}
    assert len(images) == 8


def test_the_parameters_have_the_defaults_of_a_laptop_run(path):
    parameters = yaml.safe_load(path.read_text())["root"]["inputDefinitions"]["parameters"]
    assert {name: parameter["defaultValue"] for name, parameter in parameters.items()} == {
        "preset": "laptop",
        "seed": 0,
        "overrides": {},
        "start_from": "",
        "champion": "",
        "gpu_type": "",
        "gpus": 0,
    }


def test_no_component_installs_anything_when_it_starts(spec):
    for label, executor in spec.executors.items():
        assert "pip install" not in " ".join(executor.container.command[:-1]), label


def wired(wiring):
    """Compiles a pipeline of a few of our components; `wiring` is given what they put out, to connect."""

    @dsl.pipeline
    def pipeline():
        with dsl.ParallelFor(plan(preset="smoke", seed=0, overrides={}).outputs["shards"]) as shard:
            data = generate_data(shard=shard)
        first = start(start={}).outputs
        trained = train_world_model(
            config={}, episodes=dsl.Collected(data.outputs["episodes"]), initial=first["initial_world_model"]
        )
        world_model = trained.outputs["world_model"]
        episodes = dsl.Collected(data.outputs["episodes"])
        learned = train_policy(config={}, episodes=episodes, world_model=world_model, initial=first["initial_policy"])
        wiring(dsl.Collected(data.outputs["episodes"]), world_model, learned.outputs["policy"])

    return pipeline


def score(world_model, policy):
    return evaluate(configuration={}, run_id="first", world_model=world_model, policy=policy)


@pytest.mark.parametrize(
    ("wiring", "given", "expected"),
    [
        (lambda episodes, world_model, policy: check(config={}, world_model=policy), "Policy", "WorldModel"),
        (lambda episodes, world_model, policy: check(config={}, world_model=episodes), "Episodes", "WorldModel"),
        (lambda episodes, world_model, policy: score(policy, policy), "Policy", "WorldModel"),
        (lambda episodes, world_model, policy: score(world_model, world_model), "WorldModel", "Policy"),
        (
            lambda episodes, world_model, policy: train_world_model(
                config={}, episodes=world_model, initial=world_model
            ),
            "WorldModel",
            "Episodes",
        ),
        (
            lambda episodes, world_model, policy: train_world_model(config={}, episodes=episodes, initial=policy),
            "Policy",
            "WorldModel",
        ),
        (
            lambda episodes, world_model, policy: promote(
                configuration={}, champion="", run_id="", world_model=world_model, policy=policy, evaluation=policy
            ),
            "Policy",
            "Evaluation",
        ),
    ],
)
def test_an_artifact_where_another_belongs_is_refused_at_compile_time(wiring, given, expected):
    with pytest.raises(
        InconsistentTypeException, match=f"Dreamblock{given}@.* incompatible with .*Dreamblock{expected}@"
    ):
        wired(wiring)


def test_artifacts_where_they_belong_are_not_refused():
    def wiring(episodes, world_model, policy):
        check(config={}, world_model=world_model)
        score(world_model, policy)
        train_world_model(config={}, episodes=episodes, initial=world_model)

    assert wired(wiring)
