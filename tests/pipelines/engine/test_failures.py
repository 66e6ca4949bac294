"""What happens when a step fails: what still runs, what is retried, and what the user gets to see.

python -m pytest tests/pipelines/engine/test_failures.py
"""

import json
import signal
import traceback
from functools import partial

import pytest
from kfp import dsl

from pipelines.engine import attempts
from pipelines.engine import execute as engine
from pipelines.engine.execute import TaskFailed, execute

component = partial(dsl.component, base_image="python:3.11")


def states(record_or_path):
    """{name: state} of the tasks in a run.json."""
    return {task["name"]: task["state"] for task in json.loads(record_or_path.read_text())["tasks"]}


@pytest.fixture
def failed(compiled, tmp_path):
    """Runs a pipeline that must fail; gives the error and run.json."""

    def failed(pipeline, **parameters):
        with pytest.raises(TaskFailed) as caught:
            execute(compiled(pipeline), parameters, tmp_path / "root", "first", threads=1)
        (file,) = (tmp_path / "root").glob("*/first/run.json")
        return caught.value, file

    return failed


@component
def divide(number: int) -> int:
    def helper(divisor):
        return 1 // divisor

    return helper(number)


@component
def after(number: int = 0) -> int:
    return number


@component
def status_of(note: str, status: dsl.PipelineTaskFinalStatus) -> str:
    return f"{note} {status.state} {status.pipeline_task_name} {status.error_message}"


@component
def show(text: str):
    pass


@dsl.pipeline
def one_fails():
    bad = divide(number=0)
    after(number=bad.output)
    with dsl.ParallelFor([1, 0, 2]) as number:
        divide(number=number)


def test_a_failure_stops_what_depends_on_it_and_nothing_else(failed):
    error, file = failed(one_fails)
    run = json.loads(file.read_text())
    assert run["state"] == "FAILED"
    assert [(task["name"], task["execution"], task["state"]) for task in run["tasks"]] == [
        ("divide", "0", "FAILED"),
        ("divide-2", "0", "SUCCEEDED"),
        ("divide-2", "1", "FAILED"),
        ("divide-2", "2", "SUCCEEDED"),
        ("after", "0", "SKIPPED"),
    ]
    assert run["tasks"][0]["error"].startswith("ZeroDivisionError: ")
    assert str(error) == f"task 'divide' failed: {run['tasks'][0]['error']}"


def test_the_traceback_shows_the_components_own_lines_and_nothing_of_the_engine(failed):
    error, _ = failed(one_fails)
    text = "".join(traceback.format_exception(error.__cause__))
    assert "return 1 // divisor" in text
    assert "return helper(number)" in text
    assert '<component divide>", line' in text
    assert engine.__file__ not in text
    assert "kfp/dsl/executor.py" not in text


@component
def leave(code: int):
    import sys

    sys.exit(code)


@dsl.pipeline
def leaves(code: int):
    after().after(leave(code=code))


def test_leaving_with_an_exit_code_fails_the_task(failed):
    error, file = failed(leaves, code=3)
    assert "exited with 3" in str(error)
    assert states(file) == {"leave": "FAILED", "after": "SKIPPED"}


def test_leaving_with_exit_code_0_is_success(run):
    assert run(leaves, code=0).state == "SUCCEEDED"


@component
def count_up(file: str, enough: int, out: dsl.Output[dsl.Artifact]):
    from pathlib import Path

    counter = Path(file)
    tries = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(tries))
    folder = Path(out.path)
    folder.mkdir()
    (folder / f"try {tries}").touch()
    if tries < enough:
        raise OSError(f"try {tries}")


@dsl.pipeline
def flaky_inside(file: str, enough: int):
    count_up(file=file, enough=enough)


@dsl.pipeline
def flaky(file: str, enough: int):
    count_up(file=file, enough=enough).set_retry(2, backoff_duration="1s", backoff_factor=3, backoff_max_duration="1h")


@dsl.pipeline
def flaky_for_two_seconds(file: str, enough: int):
    count_up(file=file, enough=enough).set_retry(2, backoff_duration="1s", backoff_factor=3, backoff_max_duration="2s")


@dsl.pipeline
def flaky_pipeline(file: str, enough: int):
    flaky_inside(file=file, enough=enough).set_retry(2)


@pytest.fixture
def pauses(monkeypatch):
    """The seconds that were waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(engine.time, "sleep", waited.append)
    return waited


def test_a_step_is_retried_with_growing_pauses_into_an_empty_folder(run, tmp_path, pauses):
    record = run(flaky, file=str(tmp_path / "tries"), enough=3)
    assert pauses == [1, 3]
    assert [task.state for task in record.tasks] == ["SUCCEEDED"]
    assert record.tasks[0].error is None
    assert [path.name for path in (tmp_path / "root/flaky/first/count-up/0/out").iterdir()] == ["try 3"]


def test_a_step_that_fails_more_often_than_it_may_be_retried_has_failed(failed, tmp_path, pauses):
    error, _ = failed(flaky, file=str(tmp_path / "tries"), enough=4)
    assert "OSError: try 3" in str(error)


def test_a_step_is_not_tried_again_once_all_its_tries_have_taken_too_long(failed, tmp_path, pauses):
    error, _ = failed(flaky_for_two_seconds, file=str(tmp_path / "tries"), enough=3)
    assert "OSError: try 2" in str(error)
    assert pauses == [1], "three more seconds would be too many"


def test_a_pipeline_used_as_a_component_is_retried_as_a_whole(run, tmp_path, pauses):
    run(flaky_pipeline, file=str(tmp_path / "tries"), enough=2)
    assert (tmp_path / "tries").read_text() == "2"


@component
def state_in(status: dict) -> str:
    return status["state"]


@dsl.pipeline
def inner_exit(status: dsl.PipelineTaskFinalStatus):
    show(text=state_in(status=status).output)


@dsl.pipeline
def handled(number: int):
    note = status_of(note="seen:")
    with dsl.ExitHandler(note):
        after(number=divide(number=number).output)
    with dsl.ExitHandler(inner_exit()):
        after(number=1)


def test_exit_handlers_run_after_success_and_are_told(run):
    record = run(handled, number=1)
    told = {task.name: task.parameters for task in record.tasks}
    assert told["status-of"]["status"]["state"] == "SUCCEEDED"
    assert told["show"]["text"] == "SUCCEEDED"


def test_exit_handlers_run_after_failure_and_are_told(failed):
    error, file = failed(handled, number=0)
    tasks = json.loads(file.read_text())["tasks"]
    (status,) = [task["parameters"]["status"] for task in tasks if task["name"] == "status-of"]
    assert (status["state"], status["pipelineTaskName"]) == ("FAILED", "exit-handler-1")
    assert status["error"]["message"] == str(error)
    assert states(file)["show"] == "SUCCEEDED"


@dsl.pipeline
def tolerant(number: int):
    bad = divide(number=number)
    after(number=bad.output).ignore_upstream_failure()
    status_of(note="a").after(bad).ignore_upstream_failure()


def test_a_task_that_ignores_failures_upstream_runs_on_its_defaults(failed):
    _, file = failed(tolerant, number=0)
    tasks = {task["name"]: task for task in json.loads(file.read_text())["tasks"]}
    assert tasks["after"]["parameters"] == {"number": 0}
    assert tasks["status-of"]["parameters"]["status"]["state"] == "FAILED"


@dsl.container_component
def shell(text: str):
    return dsl.ContainerSpec(image="alpine:3", command=["echo", text])


@dsl.pipeline
def with_a_container(wanted: bool):
    with dsl.If(wanted == True):  # noqa: E712
        shell(text="hello")
    after()


def test_a_container_is_refused_by_name_when_it_is_reached(failed):
    error, file = failed(with_a_container, wanted=True)
    assert "component 'shell' is no Python function but a container (alpine:3)" in str(error)
    assert error.__cause__ is None
    assert states(file) == {"after": "SUCCEEDED", "shell": "FAILED"}


def test_a_container_that_is_never_reached_does_not_matter(run):
    assert run(with_a_container, wanted=False).state == "SUCCEEDED"


@component(packages_to_install=["pytest", "numpy>=99", "no-such-package[x]==1; python_version>'3'"])
def needs_packages():
    pass


@component(
    packages_to_install=["pytest>7", "kfp==2.0.1", "nothing; python_version<'3'"], pip_index_urls=["https://a.b"]
)
def has_packages():
    pass


@dsl.pipeline
def missing_packages():
    needs_packages()


def test_packages_that_are_missing_are_named_and_never_installed(failed):
    error, _ = failed(missing_packages)
    assert "needs packages that are not installed: numpy>=99, no-such-package[x]==1" in str(error)
    assert "pytest," not in str(error)


def test_packages_that_are_installed_are_enough(run):
    assert run(has_packages).state == "SUCCEEDED"


@component
def interrupted():
    raise KeyboardInterrupt


@dsl.pipeline
def stopped_by_hand():
    with dsl.ExitHandler(after()):
        interrupted()


def test_ctrl_c_stops_at_once_and_is_recorded(compiled, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        execute(compiled(stopped_by_hand), {}, tmp_path, "first", threads=1)
    file = tmp_path / "stopped-by-hand" / "first" / "run.json"
    assert json.loads(file.read_text())["state"] == "CANCELLED"
    assert states(file) == {"interrupted": "CANCELLED"}


def test_ctrl_c_while_a_run_begins_is_recorded_as_well(compiled, tmp_path, monkeypatch):
    begin = attempts.begin

    def interrupted_while_it_begins(*arguments):
        begin(*arguments)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(attempts, "begin", interrupted_while_it_begins)
    with pytest.raises(KeyboardInterrupt):
        execute(compiled(stopped_by_hand), {}, tmp_path, "first", threads=1)
    file = tmp_path / "stopped-by-hand" / "first" / "run.json"
    assert json.loads(file.read_text())["state"] == "CANCELLED"
    assert states(file) == {}


@component
def take(folder: str):
    from pathlib import Path

    (Path(folder) / "taken").touch()
    if (Path(folder) / "broken").exists():
        raise ValueError("it is broken")


@component
def release(folder: str):
    from pathlib import Path

    (Path(folder) / "taken").unlink()


@dsl.pipeline
def releasing(folder: str):
    with dsl.ExitHandler(release(folder=folder)):
        take(folder=folder)


def test_an_exit_handler_runs_again_after_what_a_resumed_run_did_again(compiled, tmp_path):
    spec, given = compiled(releasing), {"folder": str(tmp_path)}
    (tmp_path / "broken").touch()
    with pytest.raises(TaskFailed, match="it is broken"):
        execute(spec, given, tmp_path / "root", "first", threads=1)
    assert not (tmp_path / "taken").exists()
    (tmp_path / "broken").unlink()
    assert engine.resume(spec, tmp_path / "root", "first", threads=1).state == "SUCCEEDED"
    assert not (tmp_path / "taken").exists()
    assert engine.resume(spec, tmp_path / "root", "first", threads=1).state == "SUCCEEDED", "nothing is left to release"


@component
def make_once(file: str, made: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    with Path(file).open("a") as log:
        log.write("made ")
    Path(made.path).write_text("made")


@component
def fail_once(file: str, made: dsl.Input[dsl.Dataset]):
    from pathlib import Path

    with Path(file).open("a") as log:
        log.write("tried ")
    if Path(file).read_text().count("tried") == 1:
        raise OSError("away for a moment")


@dsl.pipeline
def made_and_tried(file: str):
    fail_once(file=file, made=make_once(file=file).outputs["made"])


@dsl.pipeline
def retried(file: str):
    made_and_tried(file=file).set_retry(1)


def test_the_retry_of_a_pipeline_keeps_what_has_ended_well_which_another_run_may_have_taken(run, tmp_path, pauses):
    assert run(retried, file=str(tmp_path / "log")).state == "SUCCEEDED"
    assert (tmp_path / "log").read_text() == "made tried tried "
