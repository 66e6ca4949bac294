"""Which files are accepted as compiled pipelines, and what is said of the others.

python -m pytest tests/pipelines/engine/test_spec.py
"""

import random
from functools import partial

import pytest
import yaml
from kfp import compiler, dsl
from kfp.compiler.compiler_utils import KubernetesManifestOptions

from pipelines.engine.execute import execute
from pipelines.engine.spec import load_spec

component = partial(dsl.component, base_image="python:3.11")


@component
def add(first: int, second: int = 1) -> int:
    return first + second


@dsl.pipeline
def sums(start: int = 1):
    one = add(first=start)
    with dsl.ParallelFor([1, 2]) as number:
        add(first=one.output, second=number)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pipeline.yaml"
    compiler.Compiler().compile(sums, str(path))
    return path


@pytest.fixture
def content(file):
    return yaml.safe_load(file.read_text())


def refusal(path, content=None):
    """What load_spec says of a file with this content: one line that names the file."""
    if content is not None:
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    with pytest.raises(ValueError, match=path.name) as caught:
        load_spec(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_kubernetes_manifest_runs_like_the_plain_file(tmp_path):
    path = tmp_path / "manifest.yaml"
    options = KubernetesManifestOptions(include_pipeline_manifest=True)
    compiler.Compiler().compile(sums, str(path), kubernetes_manifest_format=True, kubernetes_manifest_options=options)
    assert len(list(yaml.safe_load_all(path.read_text()))) == 2
    assert len(execute(load_spec(path), {}, tmp_path, "first", threads=1).tasks) == 3


def test_a_single_component_runs_like_a_pipeline(tmp_path):
    compiler.Compiler().compile(add, str(tmp_path / "add.yaml"))
    record = execute(load_spec(tmp_path / "add.yaml"), {"first": 2}, tmp_path, "first", threads=1)
    assert [task.parameters for task in record.tasks] == [{"first": 2, "second": 1}]


def test_fields_of_a_newer_kfp_and_other_documents_do_not_matter(file, content, tmp_path):
    content["root"]["dag"]["tasks"]["add"]["inventedLater"] = {"a": [1]}
    content["components"]["comp-add"]["taskConfigPassthroughs"] = [{"field": "INVENTED_LATER"}]
    file.write_text(yaml.safe_dump_all([content, {"platforms": {"kubernetes": {}}}]))
    assert load_spec(file).name == "sums"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1, 2", "not YAML, or is truncated"),
        ("just words", "not a compiled pipeline"),
        ("", "not a compiled pipeline"),
        ("openapi: 3.0.0\ncomponents: {}\n", "not a compiled pipeline"),
        ("kind: PipelineVersion\nspec: [1]\n", "not a compiled pipeline"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "an Argo workflow"),
        ("pipelineSpec: {}\nruntimeConfig: {}\n", "a pipeline job of KFP v1"),
        ("name: x\nimplementation: {container: {image: y}}\n", "a component of KFP v1"),
        ("pipelineInfo: {name: x}\nroot: {}\nschemaVersion: 2.0.0\n", "no schemaVersion 2.1"),
        ("pipelineInfo: {name: x}\nroot: 5\nschemaVersion: 2.1.0\n", "not a valid compiled pipeline"),
        ("pipelineInfo: {name: x}\nroot: {}\nschemaVersion: 2.1.0\n", "its root has no tasks"),
        ("pipelineInfo: {name: ../x}\nroot: {dag: {}}\nschemaVersion: 2.1.0\n", "usable as a folder's"),
    ],
)
def test_a_foreign_file_is_refused_in_one_sentence(file, text, said):
    assert said in refusal(file, text)


def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path):
    assert "does not exist" in refusal(tmp_path / "missing.yaml")
    assert "cannot be read" in refusal(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\x89PNG\xff\xfe")
    assert "cannot be read" in refusal(tmp_path / "binary.yaml")


def test_a_truncated_file_is_refused_wherever_it_ends(file):
    text = file.read_text()
    end = text.index("schemaVersion")
    for cut in random.Random(0).sample(range(end), 60):
        refusal(file, text[:cut])


def change(content, path, value):
    *parents, last = path
    for key in parents:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("root", "dag", "tasks", "add", "componentRef", "name"), "comp-gone", "'comp-gone', which does not exist"),
        (("root", "dag", "tasks", "add", "dependentTasks"), ["gone"], "waits for 'gone', which is not in its DAG"),
        (("root", "dag", "tasks", "add", "dependentTasks"), ["for-loop-2"], "the tasks of 'root' form a circle"),
        (
            ("components", "comp-for-loop-2", "dag", "tasks", "add-2", "componentRef", "name"),
            "comp-for-loop-2",
            "its components form a circle",
        ),
        (("deploymentSpec", "executors"), {}, "has neither tasks nor an executor"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(file, content, path, value, said):
    change(content, path, value)
    assert said in refusal(file, content)
