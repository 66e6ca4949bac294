"""A compiled pipeline executed in this process: as a new run, or one that was stopped and goes on."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from components import storage
from components.fingerprint import Code
from models.signals import stops_put_off
from pipelines.engine import attempts
from pipelines.engine.contents import Contents
from pipelines.engine.functions import shipped_function
from pipelines.engine.parameters import check_parameters
from pipelines.engine.record import RunRecord
from pipelines.engine.reuse import Reuse
from pipelines.engine.spec import Spec
from pipelines.engine.values import Values
from pipelines.engine.walk import TaskFailed, Walk

__all__ = ["TaskFailed", "execute", "resume"]


def execute(
    spec: Spec,
    parameters: Mapping[str, object],
    root: str | Path,
    run_id: str,
    *,
    threads: int,
    cache: bool = False,
    tell: Callable[[str], None] = lambda line: None,
    on_change: Callable[[RunRecord], None] = lambda record: None,
) -> RunRecord:
    """Run `spec` as the new run `root/<pipeline>/<run_id>`: `run.json` and `<task>/<execution>/<output>`.

    Tasks run one at a time, upstream first. What does not depend on a failed task still runs, as in the cluster, where
    it would have run at the same time. So do exit handlers and tasks that ignore failures upstream; the run has failed.

    Args:
        parameters: the pipeline's; defaults are filled in.
        root: a local folder, or the URI of a place in a bucket.
        threads: of the steps' numeric libraries; recorded.
        cache: take steps from earlier runs whose inputs and code were the same, where the spec does not forbid it.
        tell: is told of steps that nobody can take, and why.
        on_change: told of every change, after `run.json` is written.

    Raises:
        ValueError: one sentence, before anything runs: a wrong parameter, a used run id, a root that cannot be written.
        TaskFailed: the first task that failed, after everything that could run has.
        Superseded: another process has taken the run over, which says nothing of this one any more.
        StorageError, OSError: `run.json` cannot be written any more.
        KeyboardInterrupt: at once, when `run.json` says CANCELLED.
    """
    given = check_parameters(spec, parameters)
    uri = attempts.run_uri(root, spec.name, run_id)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    record = RunRecord(spec.name, run_id, "RUNNING", started, 0.0, threads, given)
    code = _code(spec)
    attempts.require_new(uri)  # here, where a storage that does not answer can be stopped
    begin = partial(attempts.begin, uri, record)
    return _run(spec, record, uri, code, on_change, begin=begin, cache=cache, tell=tell)


def resume(
    spec: Spec,
    root: str | Path,
    run_id: str,
    *,
    cache: bool = False,
    force: bool = False,
    threads: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
    on_change: Callable[[RunRecord], None] = lambda record: None,
) -> RunRecord:
    """Go on with a run that was stopped, with its parameters: steps that have ended well are not run again.

    A step begins anew if its code or its inputs have changed since, and goes on from its checkpoint otherwise.

    Args:
        force: also if a process on another machine may still be at it.
        threads: another number of them, with which all steps begin anew.
        tell: is told of steps that begin anew or that nobody can take, and why.

    The other arguments and the errors are those of `execute`; a ValueError also for a run that another process is at.
    """
    uri = attempts.run_uri(root, spec.name, run_id)
    record = attempts.existing(uri)
    given = check_parameters(spec, record.parameters)
    code = _code(spec)
    record = attempts.take_over(uri, force=force)
    record.state, record.parameters, record.threads = "RUNNING", given, threads or record.threads
    names = set(spec.task_names.values())
    record.tasks = [task for task in record.tasks if task.name in names]
    for task in record.tasks:
        if task.state == "RUNNING":  # when the process was killed
            task.state = "CANCELLED"
    return _run(spec, record, uri, code, on_change, cache=cache, tell=tell)


def _run(
    spec: Spec,
    record: RunRecord,
    uri: str,
    code: tuple[Code, Mapping[str, Mapping[str, str]]],
    on_change: Callable[[RunRecord], None],
    *,
    begin: Callable[[], None] = lambda: None,
    cache: bool,
    tell: Callable[[str], None] = lambda line: None,
) -> RunRecord:
    root, pipeline = uri.rsplit("/", 2)[0], uri.rpartition("/")[0]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, ExitStack() as begins:
        contents = Contents(root, Path(scratch))
        reuse = Reuse(pipeline, record.run_id, contents, cache, tell)
        run = Walk(spec, root, uri, record, reuse, *code, on_change, time.perf_counter() - record.seconds)
        begins.enter_context(stops_put_off())  # or the record of a run that has just begun would say RUNNING for ever
        begin()
        try:
            begins.close()
            run.changed()
            finished = run.dag(spec.root, Values(record.parameters), (), ())
        except BaseException as stop:
            with suppress(OSError, storage.StorageError, attempts.Superseded):  # which may be what it was stopped by
                run.stopped("CANCELLED" if isinstance(stop, KeyboardInterrupt) else "FAILED")
            raise
        run.stopped(finished.state)
    if finished.error:
        raise finished.error
    return record


def _code(spec: Spec) -> tuple[Code, dict[str, dict[str, str]]]:
    """The code as it is now, before any of it runs, and what each executor's source reaches, if it is a function."""
    code, reached = Code(), {}
    for label, executor in spec.executors.items():
        with suppress(ValueError):  # which is said when it is to run
            reached[label] = code.reached(shipped_function(executor.container, label).source)
    return code, reached
