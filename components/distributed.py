"""A training in one process for each GPU of its pod, which torchrun's launcher starts, watches and ends together.

Such a process is `python -m components.distributed MODULE ARGUMENTS`, with the arguments as JSON in a file.
"""

import importlib
import json
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, record

from components.storage import StorageError
from models.ranks import joined, rank
from models.signals import end_with_parent
from models.training import TrainingError

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)  # that the launcher handles
_TOLD = {error.__name__: error for error in (TrainingError, ValueError, OSError, StorageError)}


def processes() -> int:
    """In how many processes a training runs: in a pod one for each GPU. Elsewhere nobody has asked for several."""
    return max(1, torch.cuda.device_count()) if "_KFP_RUNTIME" in os.environ else 1


def on_all_gpus(learn: Callable[..., None], *arguments: Any) -> None:
    """Call `learn` here, or where there are several GPUs in a process for each, which are ranks of one training.

    Args:
        learn: has the name of its module.
        arguments: of `learn`, as JSON.

    Raises:
        TrainingError, ValueError, OSError, StorageError: as `learn` raises them, on whichever rank.
        RuntimeError: another error ended a process, or a signal that was not meant for all.
        SystemExit: this process was told to stop, and so were all.
    """
    count = processes()
    if count == 1:
        learn(*arguments)
        return
    if "_KFP_RUNTIME" in os.environ:  # in a container, whose command is a shell
        end_with_parent()
    # Imported here, since it takes a second.
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    with tempfile.TemporaryDirectory(prefix="dreamblock-") as folder:
        given = Path(folder, "arguments.json")
        given.write_text(json.dumps(arguments))
        # What `torchrun --standalone` asks for.
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=str(uuid.uuid4()),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        with _signals_as_they_were():
            try:
                elastic_launch(config, sys.executable)("-m", "components.distributed", learn.__module__, str(given))
            except ChildFailedError as error:
                raise _failure(error) from None
            except SignalException as stop:
                raise SystemExit(128 + stop.sigval) from None


@contextmanager
def _signals_as_they_were() -> Iterator[None]:
    """After the block signals act as before it: the launcher leaves its handlers behind."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _failure(error: ChildFailedError) -> Exception:
    """The error that a rank told of; of the others some only tell that this one has gone."""
    for failure in error.failures.values():
        if isinstance(failure.message, dict):
            kind, _, text = failure.message["message"].partition(": ")
            if kind in _TOLD:
                return _TOLD[kind](text)
    number, first = error.get_first_failure()
    return RuntimeError(
        f"process {number} of the training ended with exit code {first.exitcode}; what it said is above"
    )


@record
def main(module: str, given: str) -> None:
    """What each process does."""
    end_with_parent()
    learn = getattr(importlib.import_module(module), module.rpartition(".")[2])
    with joined():
        try:
            learn(*json.loads(Path(given).read_text()))
        except TrainingError:
            if rank() != 0:  # when one ends, the launcher ends the others: the first shall leave word of it before
                signal.pause()
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])
