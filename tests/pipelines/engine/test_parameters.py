"""The parameters of a pipeline: what is accepted, what is refused and how that is said.

python -m pytest tests/pipelines/engine/test_parameters.py
"""

from functools import partial

import pytest
import yaml
from kfp import dsl

from pipelines.engine.parameters import check_parameters, parse_parameter
from pipelines.engine.spec import load_spec

component = partial(dsl.component, base_image="python:3.11")


@component
def nothing():
    pass


@dsl.pipeline
def types(
    seed: int,
    preset: str = "laptop",
    rate: float = 1.0,
    flag: bool = False,
    items: list = [1],  # noqa: B006 (never called but by kfp)
    table: dict = {},  # noqa: B006
):
    nothing()


@pytest.fixture
def spec(compiled):
    return compiled(types)


def test_defaults_are_filled_in_by_type(spec):
    values = check_parameters(spec, {"seed": 3})
    assert values == {"seed": 3, "preset": "laptop", "rate": 1.0, "flag": False, "items": [1], "table": {}}
    assert [type(values[name]) for name in ("seed", "rate")] == [int, float]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "7", 7),
        ("seed", "-1", -1),
        ("preset", "7", "7"),
        ("preset", "true", "true"),
        ("preset", "", ""),
        ("rate", "1e-3", 0.001),
        ("rate", "2", 2.0),
        ("flag", "true", True),
        ("flag", "False", False),
        ("items", '[1, "a"]', [1, "a"]),
        ("table", '{"a": {"b": 1}}', {"a": {"b": 1}}),
    ],
)
def test_a_text_becomes_a_value_of_the_parameters_type(spec, name, text, value):
    parsed = parse_parameter(spec, name, text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("seed", "ten", "parameter 'seed' must be an integer, got 'ten'"),
        ("seed", "1.5", "parameter 'seed' must be an integer, got '1.5'"),
        ("seed", "true", "parameter 'seed' must be an integer, got 'true'"),
        ("seed", "", "parameter 'seed' must be an integer, got ''"),
        ("rate", "fast", "parameter 'rate' must be a number, got 'fast'"),
        ("rate", "NaN", "parameter 'rate' must be a number, got nan"),
        ("rate", "Infinity", "parameter 'rate' must be a number, got inf"),
        ("flag", "yes", "parameter 'flag' must be true or false, got 'yes'"),
        ("items", '{"a": 1}', "parameter 'items' must be a list, got"),
        ("table", "[1", "parameter 'table' must be a dictionary, got '[1'"),
        ("presett", "x", "pipeline 'types' has no parameter 'presett'; did you mean 'preset'?"),
        ("zzz", "x", "has no parameter 'zzz'; it has flag, items, preset, rate, seed, table"),
    ],
)
def test_a_text_that_is_no_such_value_is_refused(spec, name, text, said):
    with pytest.raises(ValueError, match="parameter") as caught:
        parse_parameter(spec, name, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needs a value for its parameter 'seed' (an integer)"),
        ({"seed": "3"}, "parameter 'seed' must be an integer, got '3'"),
        ({"seed": True}, "parameter 'seed' must be an integer, got True"),
        ({"seed": 1, "flag": 0}, "parameter 'flag' must be true or false, got 0"),
        ({"seed": 1, "sede": 1}, "did you mean 'seed'?"),
    ],
)
def test_values_are_checked_before_anything_runs(spec, given, said):
    with pytest.raises(ValueError, match="parameter") as caught:
        check_parameters(spec, given)
    assert said in str(caught.value)


def test_only_the_allowed_values_of_a_literal_are_accepted(spec, tmp_path):
    content = yaml.safe_load((tmp_path / "pipeline.yaml").read_text())
    content["root"]["inputDefinitions"]["parameters"]["preset"]["literals"] = ["smoke", "laptop"]
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(content))
    literal = load_spec(tmp_path / "pipeline.yaml")
    assert parse_parameter(literal, "preset", "smoke") == "smoke"
    with pytest.raises(ValueError, match="'preset' must be one of 'smoke', 'laptop', got 'huge'"):
        parse_parameter(literal, "preset", "huge")


@component
def of_a_file(file: dsl.Input[dsl.Dataset]):
    pass


def test_a_pipeline_that_wants_an_artifact_is_refused_by_its_name(compiled):
    with pytest.raises(ValueError, match="'of-a-file' needs the artifact 'file'"):
        check_parameters(compiled(of_a_file), {})
