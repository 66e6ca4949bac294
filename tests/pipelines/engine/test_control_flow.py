"""Conditions, loops, collections and pipelines inside pipelines: what runs, in which order, and what is handed on.

python -m pytest tests/pipelines/engine/test_control_flow.py
"""

# kfp's annotations are calls, which mypy does not read
# mypy: disable-error-code="valid-type,call-arg,arg-type,name-match"
# ruff: noqa: UP006, UP014, UP045, E712 (kfp reads Optional[str] and List[Artifact] only, and overloads ==)

import json
from functools import partial
from typing import List, NamedTuple, Optional  # noqa: UP035

import pytest
import yaml
from kfp import dsl

from pipelines.engine.execute import TaskFailed, execute
from pipelines.engine.spec import load_spec

component = partial(dsl.component, base_image="python:3.11")


def executions(record, state="SUCCEEDED"):
    """(name, execution) of the tasks in a state, in the order in which they ran."""
    return [(task.name, task.execution) for task in record.tasks if task.state == state]


def given(record, task):
    """The parameters of each execution of a task."""
    return [each.parameters for each in record.tasks if each.name == task and each.state == "SUCCEEDED"]


@component
def say(text: str) -> str:
    return text


@component
def double(number: int) -> int:
    return 2 * number


@component
def show(value: list):
    pass


@component
def show_text(text: str):
    pass


@dsl.pipeline
def branches(coin: str = "heads", count: int = 3, rate: float = 0.5, flag: bool = False) -> str:
    with dsl.If(coin == "heads"):
        one = say(text="one")
    with dsl.Elif(coin == "tails"):
        one_else = say(text="two")
    with dsl.Else():
        three = say(text="three")
    chosen = dsl.OneOf(one.output, one_else.output, three.output)
    show_text(text=chosen)
    with dsl.If(count > 2):
        with dsl.If(rate >= 0.5):
            say(text="both")
        with dsl.If(flag == True):
            say(text="never")
    return chosen


@pytest.mark.parametrize(("coin", "said"), [("heads", "one"), ("tails", "two"), ("edge", "three")])
def test_one_branch_runs_and_one_of_is_its_output(run, coin, said):
    record = run(branches, coin=coin)
    assert given(record, "show-text") == [{"text": said}]
    assert said in [parameters["text"] for name in ("say", "say-2", "say-3") for parameters in given(record, name)]
    assert sum(bool(given(record, name)) for name in ("say", "say-2", "say-3")) == 1


def test_nested_conditions_of_every_type_decide_and_leave_skipped_tasks_on_record(run):
    record = run(branches)
    assert given(record, "say-4") == [{"text": "both"}]
    assert sorted(executions(record, "SKIPPED")) == [("say-2", "0"), ("say-3", "0"), ("say-5", "0")]


@component
def to_file(text: str, out: dsl.Output[dsl.Artifact]):
    from pathlib import Path

    Path(out.path).write_text(text)


@component
def from_file(file: dsl.Input[dsl.Artifact]) -> str:
    from pathlib import Path

    return Path(file.path).read_text()


@dsl.pipeline
def flip(heads: bool) -> dsl.Artifact:
    with dsl.If(heads == True):
        one = to_file(text="heads")
    with dsl.Else():
        other = to_file(text="tails")
    return dsl.OneOf(one.outputs["out"], other.outputs["out"])


@dsl.pipeline
def artifact_of_a_branch():
    show_text(text=from_file(file=flip(heads=False).output).output)


def test_one_of_hands_on_the_artifact_of_the_branch_that_ran(run):
    assert given(run(artifact_of_a_branch), "show-text") == [{"text": "tails"}]


@component
def sum_nested(value: List[List[int]]) -> int:
    return sum(map(sum, value))


@component
def produce() -> list:
    return [{"label": "a", "sizes": [1, 2]}, {"label": "b", "sizes": []}]


@dsl.pipeline
def loops(items: list = [10, 20, 30]):  # noqa: B006 (never called but by kfp)
    with dsl.ParallelFor([1, 2, 3], parallelism=2) as number:
        first = double(number=number)
        with dsl.ParallelFor(items) as item:
            second = double(number=item)
        show(value=dsl.Collected(second.output))
        with dsl.If(number != 2):
            odd = double(number=number)
    show(value=dsl.Collected(first.output))
    sum_nested(value=dsl.Collected(second.output))
    show(value=dsl.Collected(odd.output))


def test_loops_nest_and_collect_what_their_iterations_made_in_order(run):
    record = run(loops)
    assert given(record, "show") == [{"value": [20, 40, 60]}] * 3
    assert given(record, "show-2") == [{"value": [2, 4, 6]}]
    assert given(record, "sum-nested") == [{"value": [[20, 40, 60]] * 3}]
    assert given(record, "show-3") == [{"value": [2, 6]}]
    assert [place for name, place in executions(record) if name == "double-2"] == [
        f"{outer}-{inner}" for outer in range(3) for inner in range(3)
    ]


def test_a_loop_over_nothing_collects_an_empty_list(run):
    record = run(loops, items=[])
    assert given(record, "show") == [{"value": []}] * 3
    assert not given(record, "double-2")


@component
def show_table(table: dict):
    pass


@dsl.pipeline
def items_with_parts(records: list = [{"x": 1, "y": "p"}, {"x": 2, "y": "q"}]):  # noqa: B006
    with dsl.ParallelFor(records) as record:
        double(number=record.x)
        show_table(table=record)
        with dsl.If(record.y == "q"):
            say(text=f"is {record.y}")
    with dsl.ParallelFor(produce().output) as made:
        with dsl.ParallelFor(made.sizes) as size:
            double(number=size)
        say(text=made.label)
    with dsl.ParallelFor([{"a": "1.5"}, {"a": "2.5"}]) as literal:
        say(text=literal.a)


def test_loop_items_can_be_taken_apart(run):
    record = run(items_with_parts)
    assert given(record, "double") == [{"number": 1}, {"number": 2}]
    assert given(record, "show-table") == [{"table": {"x": 1, "y": "p"}}, {"table": {"x": 2, "y": "q"}}]
    assert given(record, "say") == [{"text": "is q"}]
    assert given(record, "double-2") == [{"number": 1}, {"number": 2}]
    assert given(record, "say-2") == [{"text": "a"}, {"text": "b"}]
    assert given(record, "say-3") == [{"text": "1.5"}, {"text": "2.5"}]


@component
def pair_to_file(first: str, second: str, out: dsl.Output[dsl.Artifact]):
    from pathlib import Path

    Path(out.path).write_text(first + second)


@component
def join(files: dsl.Input[List[dsl.Artifact]]) -> str:
    from pathlib import Path

    return " ".join(Path(file.path).read_text() for file in files)


@dsl.pipeline
def many_files(texts: list) -> List[dsl.Artifact]:
    with dsl.ParallelFor(texts) as text:
        made = to_file(text=text)
    return dsl.Collected(made.outputs["out"])


@dsl.pipeline
def collected_artifacts(letters: list = ["x", "y"]):  # noqa: B006
    files = many_files(texts=["a", "b", "c"])
    show_text(text=join(files=files.output).output)
    with dsl.ParallelFor(files.output) as file:
        say(text=from_file(file=file).output)
    with dsl.ParallelFor(letters) as outer:
        with dsl.ParallelFor(["1", "2"]) as inner:
            one = pair_to_file(first=outer, second=inner)
        show_text(text=join(files=dsl.Collected(one.outputs["out"])).output)
    show_text(text=join(files=dsl.Collected(one.outputs["out"])).output)


def test_artifacts_are_collected_flat_and_looped_over(run):
    record = run(collected_artifacts)
    assert given(record, "show-text") == [{"text": "a b c"}]
    assert given(record, "say") == [{"text": "a"}, {"text": "b"}, {"text": "c"}]
    assert given(record, "show-text-2") == [{"text": "x1 x2"}, {"text": "y1 y2"}]
    assert given(record, "show-text-3") == [{"text": "x1 x2 y1 y2"}]


@dsl.pipeline
def inner(text: str, times: int = 2) -> NamedTuple("Outputs", [("text", str), ("file", dsl.Artifact)]):
    said = say(text=f"{text}!")
    made = to_file(text=said.output)
    outputs = NamedTuple("Outputs", [("text", str), ("file", dsl.Artifact)])
    return outputs(said.output, made.outputs["out"])


@dsl.pipeline
def outer():
    first = inner(text="one")
    second = inner(text=first.outputs["text"])
    say(text=from_file(file=second.outputs["file"]).output)


def test_a_pipeline_is_a_component_and_tasks_of_one_name_keep_apart(run, tmp_path):
    record = run(outer)
    assert [name for name, _ in executions(record)] == [
        "inner.say",
        "inner.to-file",
        "inner-2.say",
        "inner-2.to-file",
        "from-file",
        "say",
    ]
    assert given(record, "say") == [{"text": "one!!"}]
    place = tmp_path / "root" / "outer" / "first"
    assert [(place / name / "0" / "out").read_text() for name in ("inner.to-file", "inner-2.to-file")] == [
        "one!",
        "one!!",
    ]


@dsl.pipeline
def ordered():
    last = say(text="a")
    middle = say(text="b")
    first = say(text="c")
    last.after(middle)
    middle.after(first)


def test_after_is_honoured_and_ties_run_in_the_order_of_the_file(run):
    assert [name for name, _ in executions(run(ordered))] == ["say-3", "say-2", "say"]


@dsl.pipeline
def condition_on_nothing(coin: Optional[str] = None, flag: bool = True):
    with dsl.If(coin == "heads"):
        say(text="one")
    with dsl.Else():
        say(text="two")


def test_a_condition_on_an_input_that_was_not_given_is_not_met(run):
    assert executions(run(condition_on_nothing)) == [("say-2", "0")]


def test_a_condition_is_never_run_as_python(run, compiled, tmp_path):
    compiled(condition_on_nothing)
    file = tmp_path / "pipeline.yaml"
    expression = "__import__('pathlib').Path('/tmp/owned').touch() == None"
    file.write_text(file.read_text().replace("inputs.parameter_values['pipelinechannel--coin'] == 'heads'", expression))
    with pytest.raises(TaskFailed, match="cannot be evaluated"):
        execute(load_spec(file), {}, tmp_path / "root", "first", threads=1)


def test_a_selector_that_the_compiler_wrote_twice_selects_once(compiled, tmp_path):
    """As kfp 2.15 writes `with ParallelFor([{"a": ..}]) as item, If(item.a == ..): say(item.b)`."""
    compiled(items_with_parts)
    file = tmp_path / "pipeline.yaml"
    spec = yaml.safe_load(file.read_text())
    (inside,) = [part for name, part in spec["components"].items() if name.startswith("comp-condition")]
    (selected,) = [
        source
        for source in inside["dag"]["tasks"]["say"]["inputs"]["parameters"].values()
        if source.get("componentInputParameter", "").endswith("-subvar-y")
    ]
    selected["parameterExpressionSelector"] = 'parseJson(string_value)["y"]'
    file.write_text(json.dumps(spec))
    record = execute(load_spec(file), {}, tmp_path / "root", "first", threads=1)
    assert given(record, "say") == [{"text": "is q"}]
