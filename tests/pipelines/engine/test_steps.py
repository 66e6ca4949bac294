"""One step in this process: what a container would have given it, and what it leaves behind for the next (nothing).

python -m pytest tests/pipelines/engine/test_steps.py
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from kfp import compiler, dsl

from pipelines.engine.execute import TaskFailed

component = partial(dsl.component, base_image="python:3.11")


def given(record, task):
    return [each.parameters for each in record.tasks if each.name == task]


@component
def show(values: list):
    pass


@component
def surroundings() -> list:
    import os
    import sys
    from pathlib import Path

    seen = [os.environ.get("GREETING", "none"), os.environ["OMP_NUM_THREADS"], str(Path.cwd())]
    os.environ["GREETING"] = "left behind"
    os.chdir("/")
    sys.path.insert(0, "/nowhere")
    del os.environ["HOME"]
    return [*seen, sys.path.count("/nowhere")]


@dsl.pipeline
def environment():
    show(values=surroundings().set_env_variable("GREETING", f"in {dsl.PIPELINE_JOB_NAME_PLACEHOLDER}").output)
    show(values=surroundings().set_env_variable("OMP_NUM_THREADS", "3").output)


def test_variables_are_a_steps_own_and_nothing_leaks_to_the_next(run):
    before, here = dict(os.environ), str(Path.cwd())
    record = run(environment)
    assert given(record, "show") == [{"values": ["in first", "1", here, 1]}]
    assert given(record, "show-2") == [{"values": ["none", "3", here, 1]}]
    assert (dict(os.environ), str(Path.cwd())) == (before, here)
    assert "/nowhere" not in sys.path


@component
def threads_of_torch() -> list:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    return [before]


@dsl.pipeline
def torch_threads():
    first = threads_of_torch()
    second = threads_of_torch().after(first)
    show(values=second.output)


def test_a_steps_number_of_torch_threads_does_not_reach_the_next(run):
    import torch

    assert given(run(torch_threads), "show") == [{"values": [1]}]
    torch.set_num_threads(1)


@component
def names_of_the_engine() -> list:
    return sorted({"Executor", "partial", "annotations", "linecache"} & set(globals()))


def test_a_component_sees_its_own_source_only(run):
    @dsl.pipeline
    def isolated():
        show(values=names_of_the_engine().output)

    assert given(run(isolated), "show") == [{"values": []}]


@component
def asks():
    inside = 42
    breakpoint()
    print(inside)


def test_a_breakpoint_in_a_component_opens_the_debugger_at_its_line(tmp_path):
    compiler.Compiler().compile(asks, str(tmp_path / "asks.yaml"))
    script = (
        "from pathlib import Path; from pipelines.engine.spec import load_spec;"
        "from pipelines.engine.execute import execute;"
        f"execute(load_spec({str(tmp_path / 'asks.yaml')!r}), {{}}, Path({str(tmp_path)!r}), 'first', threads=1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="list\np inside + 1\ncontinue\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "<component asks>" in done.stdout
    # From Python 3.13 on at the breakpoint itself, before at what comes next.
    assert "-> breakpoint()" in done.stdout or "-> print(inside)" in done.stdout
    assert "    inside = 42" in done.stdout
    assert "(Pdb) 43" in done.stdout


@component
def read(file: dsl.Input[dsl.Dataset]) -> list:
    from pathlib import Path

    path = Path(file.path)
    return [path.read_text() if path.exists() else "unread", file.uri, file.metadata]


@component
def where(folder: str) -> str:
    return folder + "/data.txt"


@dsl.pipeline
def imports(folder: str):
    local = dsl.importer(
        artifact_uri=where(folder=folder).output, artifact_class=dsl.Dataset, metadata={"in": folder, "n": 1}
    )
    show(values=read(file=local.output).output)
    bucket = dsl.importer(artifact_uri="gs://bucket/data.txt", artifact_class=dsl.Dataset, reimport=True)
    show(values=read(file=bucket.output).output)


def test_importers_take_local_files_where_they_lie_and_others_by_their_uri(run, tmp_path):
    (tmp_path / "data.txt").write_text("content")
    record = run(imports, folder=str(tmp_path))
    assert given(record, "show") == [{"values": ["content", str(tmp_path / "data.txt"), {"in": str(tmp_path), "n": 1}]}]
    assert given(record, "show-2") == [{"values": ["unread", "gs://bucket/data.txt", {}]}]
    (first, second) = [task for task in record.tasks if task.name.startswith("importer")]
    assert {first.artifacts["artifact"]["uri"], second.artifacts["artifact"]["uri"]} == {
        str(tmp_path / "data.txt"),
        "gs://bucket/data.txt",
    }


def test_importing_a_local_file_that_is_not_there_is_said_in_one_sentence(run, tmp_path):
    with pytest.raises(TaskFailed, match=r"the artifact to import, .*/nowhere/data\.txt, does not exist") as caught:
        run(imports, folder=str(tmp_path / "nowhere"))
    assert caught.value.__cause__ is None


@component
def to_a_path_of_its_own(folder: str, out: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    out.set_path(folder + "/mine.txt")
    Path(out.path).write_text("mine")


@dsl.pipeline
def custom_path(folder: str):
    show(values=read(file=to_a_path_of_its_own(folder=folder).outputs["out"]).output)


def test_an_artifact_written_elsewhere_is_copied_to_its_place(run, tmp_path):
    place = tmp_path / "root" / "custom-path" / "first" / "to-a-path-of-its-own" / "0" / "out"
    assert given(run(custom_path, folder=str(tmp_path)), "show") == [{"values": ["mine", str(place), {}]}]


def test_embedded_files_are_there_for_their_own_component_only(run, tmp_path):
    for word in ("one", "two"):
        (tmp_path / word).mkdir()
        (tmp_path / word / "helper.py").write_text(f"WORD = {word!r}\n")

    @component(embedded_artifact_path=str(tmp_path / "one"))
    def first_embedded() -> str:
        import helper

        return helper.WORD

    @component(embedded_artifact_path=str(tmp_path / "two" / "helper.py"))
    def second_embedded(file: dsl.EmbeddedInput[dsl.Artifact]) -> str:
        from pathlib import Path

        import helper

        return helper.WORD + Path(file.path).name

    @dsl.pipeline
    def embedded():
        show(values=[f"{first_embedded().output}", f"{second_embedded().output}"])

    before = sys.path.copy()
    assert given(run(embedded), "show") == [{"values": ["one", "twohelper.py"]}]
    assert sys.path == before
    assert "helper" not in sys.modules


@component(
    task_config_passthroughs=[
        dsl.TaskConfigField.RESOURCES,
        dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=False),
    ]
)
def launcher(config: dsl.TaskConfig) -> list:
    import os

    return [config.resources, config.env, os.environ.get("COLOUR", "none")]


@dsl.pipeline
def passthrough(memory: str = "5Gi"):
    task = launcher().set_cpu_limit("2").set_memory_limit(memory).set_env_variable("COLOUR", "red")
    show(values=task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1).output)


def test_a_task_config_tells_a_component_of_its_own_settings(run):
    limits = {"cpu": "2", "memory": "5Gi", "nvidia.com/gpu": "1"}
    assert given(run(passthrough), "show") == [
        {"values": [{"limits": limits, "requests": {}}, [{"name": "COLOUR", "value": "red"}], "none"]}
    ]


def test_the_engines_own_cost_is_below_50_ms_a_step(run):
    @component
    def nothing(number: int):
        pass

    @dsl.pipeline
    def many():
        with dsl.ParallelFor(list(range(40))) as number:
            nothing(number=number)

    record = run(many)
    assert len(record.tasks) == 40
    assert record.seconds / 40 < 0.05


@component
def spoil(config: dict, made: dsl.Input[dsl.Dataset]):
    config.clear()
    made.metadata["rows"] = 0


@component
def note_rows(made: dsl.Output[dsl.Dataset]):
    made.metadata["rows"] = 10


@component
def rows_of(config: dict, made: dsl.Input[dsl.Dataset]) -> list:
    return [config, made.metadata["rows"]]


@dsl.pipeline
def spoiling(config: dict):
    made = note_rows().outputs["made"]
    spoiled = spoil(config=config, made=made)
    show(values=rows_of(config=config, made=made).after(spoiled).output)


def test_what_a_step_does_to_what_it_is_given_no_other_step_sees(run):
    record = run(spoiling, config={"rate": 3})
    assert given(record, "show") == [{"values": [{"rate": 3}, 10]}]
    assert record.parameters == {"config": {"rate": 3}}


@component
def read_text(made: dsl.Input[dsl.Dataset]) -> list:
    from pathlib import Path

    return [Path(made.path).read_text()]


@pytest.mark.parametrize("name", ["scores#2", "a?b.csv", "50 %25"])
def test_a_file_is_imported_whatever_it_is_called(run, tmp_path, name):
    @dsl.pipeline
    def importing():
        for uri in (str(tmp_path / name), (tmp_path / name).as_uri()):
            show(values=read_text(made=dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset).output).output)

    (tmp_path / name).write_text("what was asked for")
    (tmp_path / "scores").write_text("another file")
    values = [task.parameters for task in run(importing).tasks if task.name.startswith("show")]
    assert values == [{"values": ["what was asked for"]}] * 2
