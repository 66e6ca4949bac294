"""Steps taken from earlier runs, in a folder and in a bucket: when they are, and above all when they are not.

python -m pytest tests/pipelines/engine/test_cache.py
"""

import json
import sys
from functools import partial
from pathlib import Path

import pytest
from kfp import dsl
from kfp.pipeline_spec.pipeline_spec_pb2 import ComponentSpec
from working import read_json

from components import storage
from pipelines.engine import outcomes
from pipelines.engine.contents import Contents
from pipelines.engine.execute import execute
from pipelines.engine.values import Values

component = partial(dsl.component, base_image="python:3.11", install_kfp_package=False)


@component
def number(value: int, log: str, made: dsl.Output[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]) -> int:
    from pathlib import Path

    from components.storage import writing

    with Path(log).open("a") as file:
        file.write("number\n")
    with writing(made.path) as folder:
        (folder / "value.txt").write_text(str(value))
    metrics.log_metric("value", value)
    return value


@component
def halve(made: dsl.Input[dsl.Dataset], log: str, half: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    with Path(log).open("a") as file:
        file.write("halve\n")
    Path(half.path).write_text(str(int((Path(made.path) / "value.txt").read_text()) // 2))


@component
def show(half: dsl.Input[dsl.Dataset], log: str) -> str:
    from pathlib import Path

    with Path(log).open("a") as file:
        file.write("show\n")
    return Path(half.path).read_text()


@dsl.pipeline(name="halving")
def halving(log: str, value: int = 8):
    made = number(value=value, log=log)
    half = halve(made=made.outputs["made"], log=log)
    show(half=half.outputs["half"], log=log).set_caching_options(False)


@pytest.fixture
def steps(compiled, root, tmp_path):
    """Runs the pipeline by a run id, and gives the names of the steps that really ran, and the record."""
    spec, log = compiled(halving), tmp_path / "log"

    def steps(run_id, *, threads=1, cache=True, **parameters):
        log.write_text("")
        record = execute(spec, {"log": str(log), **parameters}, root, run_id, threads=threads, cache=cache)
        assert record.state == "SUCCEEDED"
        return log.read_text().split(), record

    return steps


def sources(record):
    return {task.name: task.cached_from for task in record.tasks}


def test_what_is_the_same_is_taken_and_run_json_says_from_where(steps, root):
    first, before = steps("first")
    assert first == ["number", "halve", "show"]
    assert set(sources(before).values()) == {None}
    ran, record = steps("second")
    assert ran == ["show"], "no caching is what the spec asks for"
    assert sources(record) == {"number": "first", "halve": "first", "show": None}
    written = read_json(f"{root}/halving/second/run.json")
    assert {task["name"]: task["cached_from"] for task in written["tasks"]} == sources(record)
    taken, made = record.tasks[0], before.tasks[0]
    assert (taken.artifacts, taken.metrics, taken.parameters) == (made.artifacts, {"value": 8}, made.parameters)
    assert taken.artifacts["made"]["uri"].startswith(f"{root}/halving/first/")
    assert steps("third")[1].tasks[0].cached_from == "first", "whose it is, not who had it last"


def test_another_parameter_runs_what_depends_on_it(steps):
    steps("first")
    assert steps("second", value=10)[0] == ["number", "halve", "show"]
    assert steps("third", value=8)[0] == ["show"]


def test_what_comes_out_the_same_of_other_inputs_is_the_same(steps, root):
    steps("first", value=8)
    steps("second", value=9)  # halves to 4 too
    half = [storage.read_text(f"{root}/halving/{run}/halve/0/half") for run in ("first", "second")]
    assert half == ["4", "4"]


def test_another_number_of_threads_runs_everything(steps):
    steps("first")
    assert steps("second", threads=2)[0] == ["number", "halve", "show"]


def test_without_the_cache_everything_runs_and_may_be_taken_later(steps):
    steps("first")
    assert steps("second", cache=False)[0] == ["number", "halve", "show"]
    assert sources(steps("third")[1])["number"] == "second"


def damage(uri, kind):
    if kind == "gone":
        storage.remove(uri)
    elif kind == "altered":
        storage.write_text(storage.join(uri, "value.txt") if storage.read_text(f"{uri}/value.txt") else uri, "9")
    else:
        storage.write_text(f"{uri}/manifest.json", "{}")


@pytest.mark.parametrize(("task", "artifact"), [("number", "made"), ("halve", "half")])
@pytest.mark.parametrize("kind", ["gone", "altered", "manifest"])
def test_what_is_damaged_is_not_taken(steps, root, task, artifact, kind):
    if (task, kind) == ("halve", "manifest"):
        kind = "gone"  # a file has none
    steps("first")
    damage(f"{root}/halving/first/{task}/0/{artifact}", kind)
    ran, record = steps("second")
    assert ran == [task, "show"], "and what follows is the same again"
    assert sources(record)[task] is None
    assert storage.read_text(f"{root}/halving/second/halve/0/half") == ("4" if task == "halve" else None)


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"format": 2, "run": "first", "execution": "number/0"}', '{"format": 1, "run": 3}'],
)
def test_an_entry_of_the_cache_that_is_damaged_or_newer_is_passed_over(steps, root, text):
    steps("first")
    for name in storage.children(f"{root}/halving/cache"):
        storage.write_text(f"{root}/halving/cache/{name}", text)
    assert steps("second")[0] == ["number", "halve", "show"]
    assert steps("third")[0] == ["show"]


@pytest.mark.parametrize("root", ["folder"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts | {"format": 2},
        lambda facts: facts | {"identity": {**facts["identity"], "its own source (code)": "0"}},
        lambda facts: facts | {"run": "third"},
        lambda facts: facts | {"outputs": None},
        lambda facts: facts | {"outputs": {"parameters": {}, "artifacts": {"made": [{"uri": 3}]}}},
        lambda facts: facts | {"outputs": 3},
        lambda facts: facts | {"contents": 3},
        lambda facts: [],
    ],
)
def test_a_step_whose_facts_are_damaged_newer_or_anothers_is_not_taken(steps, root, change):
    steps("first")
    file = f"{root}/halving/first/number/0/step.json"
    storage.write_text(file, json.dumps(change(read_json(file))))
    assert "number" in steps("second")[0]


def test_a_failed_step_is_not_taken(compiled, tmp_path):
    @component
    def fail(log: str):
        from pathlib import Path

        with Path(log).open("a") as file:
            file.write("x")
        raise ValueError("always")

    @dsl.pipeline(name="failing")
    def failing(log: str):
        fail(log=log)

    spec = compiled(failing)
    for run in ("first", "second"):
        with pytest.raises(Exception, match="always"):
            execute(spec, {"log": str(tmp_path / "log")}, tmp_path / "runs", run, threads=1, cache=True)
    assert (tmp_path / "log").read_text() == "xx"


def test_an_input_from_elsewhere_is_never_trusted_to_be_the_same(compiled, tmp_path):
    (tmp_path / "half").write_text("3")

    @dsl.pipeline(name="importing")
    def importing(log: str):
        imported = dsl.importer(artifact_uri=str(tmp_path / "half"), artifact_class=dsl.Dataset)
        show(half=imported.output, log=log)

    spec, log = compiled(importing), tmp_path / "log"
    for run, expected in (("first", "3"), ("second", "5")):
        record = execute(spec, {"log": str(log)}, tmp_path / "runs", run, threads=1, cache=True)
        output = json.loads((tmp_path / "runs/importing" / run / "show/0/executor_output.json").read_text())
        assert output["parameterValues"]["Output"] == expected
        assert {task.cached_from for task in record.tasks} == {None}
        (tmp_path / "half").write_text("5")


def test_an_edited_component_runs(compiled, tmp_path):
    def make(text):
        @component
        def say(log: str):
            from pathlib import Path

            with Path(log).open("a") as file:
                file.write("said ")

        say.component_spec.implementation.container.command[-1] += f"# {text}"

        @dsl.pipeline(name="saying")
        def saying(log: str):
            say(log=log)

        return compiled(saying)

    for run, text in (("first", "a"), ("second", "a"), ("third", "b")):
        execute(make(text), {"log": str(tmp_path / "log")}, tmp_path / "runs", run, threads=1, cache=True)
    assert (tmp_path / "log").read_text() == "said said "


def test_caching_switched_off_for_a_whole_dag_is_off_inside(compiled, tmp_path):
    @dsl.pipeline
    def inner(log: str):
        number(value=1, log=log)

    @dsl.pipeline(name="outer")
    def outer(log: str):
        inner(log=log).set_caching_options(False)

    spec = compiled(outer)
    for run in ("first", "second"):
        execute(spec, {"log": str(tmp_path / "log")}, tmp_path / "runs", run, threads=1, cache=True)
    assert (tmp_path / "log").read_text().split() == ["number"] * 2


def test_the_parts_of_a_loop_are_taken_one_by_one(compiled, tmp_path):
    @dsl.pipeline(name="looping")
    def looping(items: list, log: str):
        with dsl.ParallelFor(items) as item:
            number(value=item, log=log)

    spec, log = compiled(looping), tmp_path / "log"
    execute(spec, {"items": [1, 2, 3], "log": str(log)}, tmp_path / "runs", "first", threads=1, cache=True)
    record = execute(spec, {"items": [3, 4, 1], "log": str(log)}, tmp_path / "runs", "second", threads=1, cache=True)
    assert [task.cached_from for task in record.tasks] == ["first", None, "first"]
    assert log.read_text().split() == ["number"] * 4
    assert Path(record.tasks[0].artifacts["made"]["uri"]).parts[-2] == "2", "an iteration of its own"


def test_files_and_folders_without_a_manifest_come_to_a_bucket_and_back(compiled, bucket, tmp_path):
    @component
    def write(data: dsl.Output[dsl.Dataset], page: dsl.Output[dsl.HTML], nothing: dsl.Output[dsl.Artifact]):
        from pathlib import Path

        (Path(data.path) / "deep").mkdir(parents=True)
        (Path(data.path) / "deep" / "part").write_bytes(bytes(range(256)))
        Path(page.path).write_text("<p>")

    @component
    def read(data: dsl.Input[dsl.Dataset], page: dsl.Input[dsl.HTML], nothing: dsl.Input[dsl.Artifact]):
        from pathlib import Path

        assert data.uri.startswith("gs://")
        assert (Path(data.path) / "deep" / "part").read_bytes() == bytes(range(256))
        assert Path(page.path).read_text() == "<p>"
        assert not Path(nothing.path).exists()

    @dsl.pipeline(name="plain")
    def plain():
        made = write().outputs
        read(data=made["data"], page=made["page"], nothing=made["nothing"]).set_caching_options(False)

    spec = compiled(plain)
    for run, source in (("first", None), ("second", "first")):
        record = execute(spec, {}, bucket, run, threads=1, cache=True)
        assert [task.cached_from for task in record.tasks] == [source, None]
    assert storage.children(f"{bucket}/plain/first/write/0") == ["data", "page", "step.json"]


@component
def tell() -> str:
    import os

    return os.environ["WHAT"]


@pytest.mark.parametrize("root", ["folder"], indirect=True)
def test_another_variable_of_the_container_runs_the_step(compiled, root):
    def told(value):
        @dsl.pipeline(name="told")
        def told():
            tell().set_env_variable("WHAT", value)

        return compiled(told)

    for run_id, value, source in (("a", "1", None), ("b", "2", None), ("c", "1", "a")):
        record = execute(told(value), {}, root, run_id, threads=1, cache=True)
        assert sources(record) == {"tell": source}


def test_an_input_of_other_metadata_is_another():
    def key(metadata):
        made = {"name": "made", "type": {}, "uri": "elsewhere", "metadata": metadata}
        inputs = Values({}, {"made": [made]})
        return outcomes.key(outcomes.identity({}, ComponentSpec(), {}, inputs, Contents("/root", Path()), 1))

    assert key({"a": 1}) == key({"a": 1})
    assert key({"a": 1}) != key({"a": 2})


def test_of_a_folder_without_a_manifest_all_that_lies_below_it_counts(tmp_path):
    deep = tmp_path / "made" / "in" / "value"
    deep.parent.mkdir(parents=True)
    digests = set()
    for text in ("1", "2"):
        deep.write_text(text)
        digests.add(Contents(str(tmp_path), tmp_path).made(str(tmp_path / "made")))
    assert len(digests) == 2


@component
def edit(module: str, text: str) -> str:
    from pathlib import Path

    Path(module).write_text(text)  # as somebody does while a run is under way
    return "edited"


@component
def ask(after: str) -> str:
    import edited_meanwhile

    return edited_meanwhile.answer()


@dsl.pipeline(name="editing")
def editing(module: str, text: str):
    edited = edit(module=module, text=text)
    edited.set_caching_options(False)
    ask(after=edited.output)


def test_what_came_of_code_that_was_edited_meanwhile_is_nobodys(compiled, tmp_path, monkeypatch):
    module, said = tmp_path / "edited_meanwhile.py", list[str]()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    good, bad = ('def answer(): return "good"', 'def answer(): return "bad"')
    spec = compiled(editing)
    for run_id, before, after in (("first", good, bad), ("second", good, good)):
        module.write_text(before)
        monkeypatch.delitem(sys.modules, "edited_meanwhile", raising=False)
        given = {"module": str(module), "text": after}
        record = execute(spec, given, tmp_path / "runs", run_id, threads=1, cache=True, tell=said.append)
        assert record.state == "SUCCEEDED"
    assert {task.cached_from for task in record.tasks} == {None}
    (line,) = said
    assert line.startswith("ask/0: no run will take what it has put out, for meanwhile was edited: edited_meanwhile")


@component
def describe(value: int, made: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    Path(made.path).mkdir(parents=True)
    (Path(made.path) / "manifest.json").write_text('{"columns": ["value"]}')  # which is none of ours
    (Path(made.path) / "value.txt").write_text(str(value))


@component
def tell_value(made: dsl.Input[dsl.Dataset]) -> int:
    from pathlib import Path

    return int((Path(made.path) / "value.txt").read_text())


@dsl.pipeline(name="describing")
def describing(value: int):
    tell_value(made=describe(value=value).outputs["made"])


def test_a_folder_with_a_manifest_of_its_own_is_all_of_its_files(compiled, root):
    spec = compiled(describing)
    for run_id, value, source in (("a", 1, None), ("b", 2, None), ("c", 1, "a")):
        record = execute(spec, {"value": value}, root, run_id, threads=1, cache=True)
        assert sources(record) == dict.fromkeys(sources(record), source)
