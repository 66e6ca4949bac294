"""The runs below a root: which there are, what they hold, and the removal of those that nobody needs."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

from components import storage
from pipelines.engine import attempts, outcomes
from pipelines.engine.record import FILE, RunRecord, read_record

START_FROM = "start_from"  # the parameter that names a run


@dataclass(frozen=True)
class Run:
    """A run as it lies below a root, at `uri`."""

    uri: str

    @property
    def pipeline(self) -> str:
        return self.uri.rpartition("/")[0]

    @property
    def run_id(self) -> str:
        return self.uri.rpartition("/")[2]

    @cached_property
    def record(self) -> RunRecord | None:
        """None if `run.json` cannot be read."""
        try:
            return read_record(self.uri)
        except ValueError:
            return None

    @cached_property
    def process(self) -> attempts.Process | None:
        """The one that is at it, as far as can be told."""
        return attempts.at_work(self.uri, self.record) if self.record else attempts.owner(self.uri)

    @property
    def state(self) -> str:
        """As `run.json` has it, but INTERRUPTED if the process is gone that would have changed it, or UNREADABLE."""
        if self.record is None:
            return "UNREADABLE"
        return "INTERRUPTED" if self.record.state == "RUNNING" and not self.process else self.record.state

    @cached_property
    def size(self) -> int:
        """In bytes."""
        return storage.size(self.uri)

    def has(self, place: str) -> bool:
        """Whether this run refers to an artifact below the URI `place`. Who knows, if it is unreadable."""
        if self.record is None:
            return place.startswith(f"{self.pipeline}/")
        artifacts = (artifact for task in self.record.tasks for artifact in task.artifacts.values())
        return any(artifact["uri"].startswith(f"{place}/") for artifact in artifacts)

    def is_taking_from(self, run_id: str) -> bool:
        """Whether a task that has not ended well was about to have the outputs of this run of the same pipeline."""
        tasks = self.record.tasks if self.record else []
        return any(task.cached_from == run_id and task.state != "SUCCEEDED" for task in tasks)

    def needs(self, other: "Run") -> bool:
        """Whether this run has outputs of `other`, or is about to, or would go on from its checkpoints."""
        if self.record is None or self.has(other.uri):
            return self.has(other.uri)
        taken = {task.cached_from for task in self.record.tasks} if self.pipeline == other.pipeline else set()
        begins_there = self.record.state != "SUCCEEDED" and other.run_id == self.record.parameters.get(START_FROM)
        return other.run_id in taken or begins_there


def runs(root: str) -> list[Run]:
    """All runs below a root, by pipeline and begin."""
    pipelines = [storage.join(root, name) for name in storage.children(root)]
    found = [run for pipeline in pipelines if _may_be_read(pipeline) for run in runs_of(pipeline)]
    return sorted(found, key=lambda run: (run.pipeline, run.record.started if run.record else "", run.run_id))


def prune(root: str, names: Sequence[str], *, force: bool = False) -> int:
    """Remove runs, named by their ids, or as `<pipeline>/<run id>`, all of them or none; the bytes that they had.

    Nobody can resume a run while this happens; one that is taken from meanwhile is safe too: see `Reuse.others`.

    Args:
        force: also runs that could be resumed, and such as others need.

    Raises:
        ValueError: there is no such run, somebody is at it, or it is needed.
    """
    every = runs(root)
    asked = list(dict.fromkeys(_named(name, every, root) for name in names))
    freed = sum(run.size for run in asked)
    with ExitStack() as kept:
        for run in asked:
            kept.enter_context(_kept(run.uri, force))
        _remove(root, asked, force)
    return freed


@contextmanager
def _kept(uri: str, force: bool) -> Iterator[None]:
    """Keep the run at a URI from others, who would resume it. Raises a ValueError where it is not to be removed."""
    number, run = attempts.following(uri), Run(uri)
    if run.process and (run.process.is_here or not force):
        hint = "stop it first" if run.process.is_here else "if that has gone, add --force"
        raise ValueError(f"the run {run.run_id!r} is being run by {run.process}: {hint}")
    if not force and run.record is None:
        raise ValueError(f"the {FILE} of the run {run.run_id!r} cannot be read: to remove it all the same, add --force")
    if not force and run.state != "SUCCEEDED":
        raise ValueError(f"the run {run.run_id!r} ({run.state.lower()}) can be resumed: to remove it, add --force")
    try:
        attempts.enter(uri, number)
    except FileExistsError:
        raise ValueError(f"the run {run.run_id!r} is being resumed by another process at this moment") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # a full disk keeps the others out as well
            raise
    try:
        yield
    finally:  # as it was, if it has not been removed
        attempts.leave(uri, number)


def _remove(root: str, asked: Sequence[Run], force: bool) -> None:
    """Remove runs that nobody is at. Raises a ValueError if one is needed, unless forced."""
    forgotten = {entry: text for run in asked for entry, text in outcomes.forget(run.pipeline, run.run_id).items()}
    for run in [] if force else asked:
        users = [other.run_id for other in runs(root) if other not in asked and other.needs(run)]
        if users:
            for entry, text in forgotten.items():
                storage.write_text(entry, text)
            raise ValueError(
                f"the run {run.run_id!r} is needed by {', '.join(map(repr, users))}: to remove it, add --force"
            )
    for run in asked:
        for name in storage.children(run.uri):
            if name not in (FILE, attempts.ATTEMPTS):
                storage.remove(storage.join(run.uri, name))
        storage.remove(storage.join(run.uri, FILE))  # as long as it is there, the run can be found and pruned again
        storage.remove(run.uri)


def runs_of(pipeline: str) -> Iterator[Run]:
    """The runs of the pipeline at a URI."""
    for run_id in attempts.run_ids(pipeline):
        yield Run(storage.join(pipeline, run_id))


def _may_be_read(pipeline: str) -> bool:
    """Beside the pipelines there may be what is none of ours: a disk has its lost+found."""
    try:
        storage.children(pipeline)
    except PermissionError:
        return False
    return True


def _named(name: str, every: Sequence[Run], root: str) -> Run:
    found = [run for run in every if name in (run.run_id, run.uri.removeprefix(f"{root}/"))]
    if not found:
        raise ValueError(f"there is no run {name!r} in {root}; --list shows those that there are")
    if len(found) > 1:
        pipelines = " or ".join(run.uri.removeprefix(f"{root}/") for run in found)
        raise ValueError(f"there is more than one run {name!r} in {root}: say {pipelines}")
    return found[0]
