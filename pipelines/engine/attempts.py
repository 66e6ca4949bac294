"""Who is at a run: each process that begins or resumes it leaves a numbered file, and the last of them has it."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from components import storage
from components.configuration import nearest
from pipelines.engine.outcomes import CACHE
from pipelines.engine.record import FILE, RunRecord, read_record

ATTEMPTS = ".attempts"  # which no task is called: their names begin with a letter
PROC = Path("/proc")  # which Linux has, and macOS has not


@dataclass(frozen=True)
class Process:
    """A process: the machine (or container) that it is on, its number there, and since when it has that number."""

    machine: str
    number: int
    began: str

    @property
    def is_here(self) -> bool:
        return self.machine == _machine()

    def __str__(self) -> str:
        return f"process {self.number}" if self.is_here else f"a process on another machine, {self.machine}"


def run_uri(root: str | Path, pipeline: str, run_id: str) -> str:
    """Where a run lies, below a root that is a folder or a URI. Raises a ValueError if the id is no name for a run."""
    if not re.fullmatch(r"\w[\w.-]*", run_id):
        raise ValueError(f"a run id is made of letters, digits, dots, dashes and underscores, got {run_id!r}")
    if run_id.endswith(storage.INCOMING):
        raise ValueError(f"a run id cannot end in {storage.INCOMING}, as what is not whole yet does, got {run_id!r}")
    if run_id == CACHE:
        raise ValueError(f"a run cannot be called {CACHE!r}: the cache of all runs is kept by that name")
    place = str(root).rstrip("/") if "://" in str(root) else str(Path(root).absolute())
    return storage.join(place, pipeline, run_id)


class Superseded(Exception):
    """Another process has taken the run over, or removed it; one sentence."""


def require_new(run: str) -> None:
    """Raise a ValueError if there is a run at a URI, or its storage cannot be read."""
    try:
        if storage.exists(storage.join(run, FILE)) or owner(run):
            raise _taken(run)
    except storage.StorageError as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        raise ValueError(f"the root {run.rsplit('/', 2)[0]} cannot be read: {error.strerror}") from error


def begin(run: str, record: RunRecord) -> None:
    """Make the run at a URI this process's, which only one can, and `record` what is first written of it.

    That it is new was made sure by `require_new`; of several processes that did, one can write its record.

    Raises:
        ValueError: there is such a run, or the root cannot be written.
    """
    root = run.rsplit("/", 2)[0]
    try:
        record.attempt = following(run)  # after 0, unless a run of this id was removed all but for its attempts
        record.write(run, new=True)  # before it is this process's, so that a killed one leaves nothing that is no run
        enter(run, record.attempt)
    except FileExistsError:
        raise _taken(run) from None
    except storage.StorageError as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        raise ValueError(f"the root {root} cannot be written: {error.strerror}") from error


def _taken(run: str) -> ValueError:
    run_id = run.rpartition("/")[2]
    return ValueError(f"the run {run_id!r} exists already, in {run}: choose another run id, or --resume it")


def take_over(run: str, *, force: bool = False) -> RunRecord:
    """Make the run at a URI this process's; its record. Raises a ValueError if there is none, or it is another's.

    Args:
        force: take it also from a process on another machine, of which it cannot be seen whether it lives.
    """
    try:
        number = following(run)
        record = existing(run)
        other = at_work(run, record)
        if other and not (force and not other.is_here):
            hint = "wait for it, or stop it" if other.is_here else "if that has gone, add --force"
            raise ValueError(f"the run {record.run_id!r} is being run by {other}: {hint}")
        enter(run, number)
    except FileExistsError:
        raise ValueError(f"the run {record.run_id!r} is being resumed by another process at this moment") from None
    except storage.StorageError as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        raise ValueError(f"the run in {run} cannot be written: {error.strerror}") from error
    record.attempt = number
    return record


def require_last(run: str, attempt: int) -> None:
    """Make sure that the last process at the run at a URI is the one that came with this number.

    Raises:
        Superseded: it is another.
        FileNotFoundError: there is no run any more, by whatever happened to its disk.
    """
    last = _last(run)
    if not last:
        raise FileNotFoundError(f"{run} is gone")
    if last != attempt:
        run_id = run.rpartition("/")[2]
        raise Superseded(f"the run {run_id!r} was taken over or removed by another process, and this one ends")


def run_ids(pipeline: str) -> Iterator[str]:
    """The ids of the runs of the pipeline at a URI: those that have a record, of whatever state."""
    for name in storage.children(pipeline):
        if name != CACHE and storage.exists(storage.join(pipeline, name, FILE)):
            yield name


def existing(run: str) -> RunRecord:
    """The record of the run at a URI. Raises a ValueError if there is none, or none that can be read."""
    pipeline, _, run_id = run.rpartition("/")
    record = read_record(run)
    if record is None:
        known = list(run_ids(pipeline))
        hint = f", the nearest is {nearest(run_id, known)!r}" if known else ""
        raise ValueError(f"there is no run {run_id!r} in {pipeline}{hint}")
    if (record.pipeline, record.run_id) != tuple(run.split("/")[-2:]):
        raise ValueError(f"{run} holds the record of another run, {record.pipeline}/{record.run_id}")
    return record


def at_work(run: str, record: RunRecord) -> Process | None:
    """The process that is at the run at a URI, unless it is seen to have ended.

    Whatever the record says, that is also one that came later than the one that wrote it.
    """
    later = 0 < record.attempt < _last(run)
    return owner(run) if later or record.state == "RUNNING" else None


def following(run: str) -> int:
    """The number to come to the run at a URI with, to be asked for before it is looked who is at it.

    Of two processes that see nobody there, one gets the number.
    """
    return _last(run) + 1


def enter(run: str, number: int) -> None:
    """Make the run at a URI this process's, and remove what those before it were killed over.

    Raises:
        FileExistsError: another process has come with this number.
    """
    me, attempt = Process(_machine(), os.getpid(), _began(os.getpid())), _attempt(run, number)
    storage.write_text(attempt, json.dumps(asdict(me)), new=True)
    storage.sweep(run, spare=ATTEMPTS)
    for shared in (storage.join(run, ATTEMPTS), storage.join(run.rpartition("/")[0], CACHE)):
        storage.sweep_old(shared, attempt)  # for others may be writing there


def leave(run: str, number: int) -> None:
    """Undo what `enter` did."""
    storage.remove(_attempt(run, number))


def owner(run: str) -> Process | None:
    """The last process that was at a run, unless it is seen to have ended."""
    try:
        last = Process(**json.loads(storage.read_text(_attempt(run, _last(run))) or "{}"))
        return last if not last.is_here or _lives(last) else None
    except (ValueError, TypeError, OverflowError, RecursionError):  # the file is damaged, and tells of nobody
        return None


def _last(run: str) -> int:
    names = (name.removesuffix(".json") for name in storage.children(storage.join(run, ATTEMPTS)))
    return max((int(name) for name in names if name.isdecimal()), default=0)


def _attempt(run: str, number: int) -> str:
    return storage.join(run, ATTEMPTS, f"{number}.json")


def _machine() -> str:
    """This machine's name and, of Linux, the space that its process numbers are in: a container has its own."""
    space = PROC / "self" / "ns" / "pid"
    return f"{platform.node()} {space.readlink()}" if space.is_symlink() else platform.node()


def _lives(process: Process) -> bool:
    try:
        os.kill(process.number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return _began(process.number) == process.began


def _began(number: int) -> str:
    """When a process began, as the system counts it; "" where that is not told, and of one that has ended unnoticed."""
    try:
        if not (PROC / "self").exists():
            return _began_without_proc(number)
        fields = (PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _began_without_proc(number: int) -> str:
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(number)]
    plain = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}  # it is told in local time, which is another in summer
    told = subprocess.run(command, env=plain, capture_output=True, text=True).stdout
    state, _, began = told.strip().partition(" ")
    return "" if state.startswith("Z") else began.strip()
