"""What a component is given: parameters in their types, defaults, artifacts and placeholders.

python -m pytest tests/pipelines/engine/test_values.py
"""

# kfp's annotations are calls, which mypy does not read
# mypy: disable-error-code="valid-type,call-arg,arg-type,name-match"
# ruff: noqa: UP045 (kfp reads Optional[str], not str | None)

from functools import partial
from pathlib import Path
from typing import NamedTuple, Optional

import pytest
from kfp import dsl

from pipelines.engine.execute import execute
from pipelines.engine.spec import load_spec

component = partial(dsl.component, base_image="python:3.11")


def given(record, task: str) -> dict:
    """The parameters of a task's only execution."""
    (found,) = [each for each in record.tasks if each.name == task]
    return found.parameters


@component
def typed(whole: int, real: float, word: str, flag: bool, items: list, table: dict) -> NamedTuple(
    "Changed", [("whole", int), ("real", float), ("flag", bool), ("items", list), ("table", dict)]
):
    assert (type(whole), type(real), type(flag)) == (int, float, bool)
    return whole + 1, real, not flag, [*items, 2], {**table, "b": 1.5}


@component
def typed_again(whole: int, real: float, word: str, flag: bool, items: list, table: dict):
    pass


@dsl.pipeline
def all_types(whole: int = 3, real: float = 2.0, word: str = "5", flag: bool = True):
    first = typed(whole=whole, real=real, word=word, flag=flag, items=[1], table={"a": 1})
    out = first.outputs
    typed_again(
        whole=out["whole"], real=out["real"], word=word, flag=out["flag"], items=out["items"], table=out["table"]
    )


def test_parameters_keep_their_types_from_the_file_and_from_task_to_task(run):
    record = run(all_types)
    first, second = given(record, "typed"), given(record, "typed-again")
    assert first == {"whole": 3, "real": 2.0, "word": "5", "flag": True, "items": [1], "table": {"a": 1}}
    assert second == {"whole": 4, "real": 2.0, "word": "5", "flag": False, "items": [1, 2], "table": {"a": 1, "b": 1.5}}
    assert [type(first[name]) for name in ("whole", "real")] == [int, float]
    assert [type(number) for number in [*first["items"], *first["table"].values()]] == [int, int]


@component
def optional(given: str = "default", absent: Optional[str] = None, number: Optional[int] = None) -> str:
    return f"{given} {absent} {number}"


@component
def show(text: str):
    pass


@dsl.pipeline
def inner_optional(given: Optional[str] = None, number: int = 7) -> str:
    return optional(given=given, number=number).output


@dsl.pipeline
def optionals(given: Optional[str] = None, flag: bool = True):
    show(text=inner_optional().output)
    with dsl.If(flag == True):  # noqa: E712
        show(text=optional(given=given).output)


def test_inputs_that_are_not_given_take_the_components_defaults(run):
    record = run(optionals)
    assert [given(record, name)["text"] for name in ("show", "show-2")] == ["default None 7", "default None None"]


@component
def write_parameters(
    text: dsl.OutputPath(str), number: dsl.OutputPath(int), flag: dsl.OutputPath(bool), items: dsl.OutputPath(list)
):
    import json
    from pathlib import Path

    for path, content in ((text, "7"), (number, "7"), (flag, str(True)), (items, json.dumps([7]))):
        Path(path).write_text(content)


@dsl.pipeline
def output_paths():
    made = write_parameters().outputs
    typed_again(
        whole=made["number"], real=1.0, word=made["text"], flag=made["flag"], items=made["items"], table={"x": []}
    )


def test_parameters_written_to_a_path_are_read_by_their_type(run):
    seen = given(run(output_paths), "typed-again")
    assert (seen["whole"], seen["word"], seen["flag"], seen["items"]) == (7, "7", True, [7])


@component
def write(text: str, out: dsl.Output[dsl.Dataset]) -> NamedTuple("Outputs", [("length", int), ("copy", dsl.Model)]):
    import collections
    from pathlib import Path

    Path(out.path).write_text(text)
    out.metadata["words"] = len(text.split())
    return collections.namedtuple("Outputs", ["length", "copy"])(len(text), text.upper())


@component
def read(
    data: dsl.Input[dsl.Dataset], path: dsl.InputPath("Model"), missing: Optional[dsl.Input[dsl.Artifact]] = None
) -> str:
    from pathlib import Path

    assert missing is None
    return f"{Path(data.path).read_text()} {Path(path).read_text()} {data.metadata['words']} {type(data).__name__}"


@component
def made_here() -> dsl.Dataset:
    from pathlib import Path

    made = dsl.Dataset(uri=dsl.get_uri("elsewhere"), metadata={"words": 0})
    Path(made.path).write_text("mine")
    return made


@dsl.pipeline
def artifacts():
    one = write(text="two words")
    show(text=read(data=one.outputs["out"], path=one.outputs["copy"]).output)
    show(text=read(data=made_here().output, path=one.outputs["copy"]).output)


def test_artifacts_arrive_with_their_content_metadata_and_class(run, tmp_path):
    record = run(artifacts)
    assert given(record, "show")["text"] == "two words TWO WORDS 2 Dataset"
    assert given(record, "show-2")["text"] == "mine TWO WORDS 0 Dataset"
    (writer,) = [task for task in record.tasks if task.name == "write"]
    place = tmp_path / "root" / "artifacts" / "first" / "write" / "0"
    assert writer.artifacts["out"] == {"type": "system.Dataset", "uri": str(place / "out")}
    assert (place / "copy").read_text() == "TWO WORDS"


@component
def places(job: str, resource: str, task: str, run: str, root: str, created: str, workspace: str, task_id: str) -> str:
    from pathlib import Path

    Path(workspace, "shared.txt").write_text("kept")
    return job


@component
def structures(items: list, table: dict):
    pass


@dsl.pipeline(pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")))
def placeholders(name: str = "Ann", count: int = 2):
    places(
        job=f"<{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}>",
        resource=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        root=dsl.PIPELINE_ROOT_PLACEHOLDER,
        created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        workspace=dsl.WORKSPACE_PATH_PLACEHOLDER,
        task_id=dsl.PIPELINE_TASK_ID_PLACEHOLDER,
    )
    structures(items=[f"{name} {count}"], table={"of": [f"{name} {count}"]})
    show(text="{{$.unknown}} and {{braces}}")


def test_placeholders_are_replaced_at_any_depth_and_unknown_ones_left(run, tmp_path):
    record = run(placeholders)
    seen = given(record, "places")
    assert (seen["job"], seen["task"], seen["run"]) == ("<first>", "places", "first")
    assert seen["resource"].startswith("placeholders-")
    assert seen["root"] == str(tmp_path / "root")
    assert seen["created"] == record.started
    assert (Path(seen["workspace"]) / "shared.txt").read_text() == "kept"
    assert "{{" not in seen["task_id"]
    assert given(record, "structures") == {"items": ["Ann 2"], "table": {"of": ["Ann 2"]}}
    assert given(record, "show")["text"] == "{{$.unknown}} and {{braces}}"


@component
def instructive() -> str:
    return "{{$.pipeline_root}} {{$.inputs.parameters['secret']}}"


@dsl.pipeline
def injection(secret: str = "hidden"):
    show(text=instructive().output)


def test_placeholders_in_data_are_data(run):
    assert given(run(injection), "show")["text"] == "{{$.pipeline_root}} {{$.inputs.parameters['secret']}}"


def test_a_default_of_another_type_than_declared_is_refused_by_name(run, compiled, tmp_path):
    compiled(all_types)
    file = tmp_path / "pipeline.yaml"
    file.write_text(file.read_text().replace("defaultValue: 3.0", "defaultValue: 3.5"))
    with pytest.raises(ValueError, match=r"'whole' must be an integer, got 3\.5"):
        execute(load_spec(file), {}, tmp_path / "root", "first", threads=1)
