"""Run the pipeline in this process: python local_runner.py --preset smoke"""

import argparse
import errno
import linecache
import os
import re
import secrets
import shlex
import signal
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from viewer.command_line import stopped, terminate

# What takes long to import, torch and kfp above all, is imported where it is used: --help and mistakes answer at once.

HELP = """\
Run the whole pipeline in this process: data, world model, policy, and a report with two films.

The pipeline is compiled, and what was compiled is executed, with the source of the components that it carries."""

EXAMPLES = """\
examples:
  python local_runner.py --preset smoke
      everything in about a minute, to see that it works
  python local_runner.py --open
      the preset laptop: minutes, films worth looking at, and the report in the browser
  python local_runner.py --preset smoke --seed 3 --set policy_training.steps=800 --set world.raster=pixel
      another seed, a longer training of the policy, frames of whole pixels
  python local_runner.py --root gs://bucket/prefix
      the run in a bucket; STORAGE_EMULATOR_HOST=http://localhost:4443 names a local server instead
  python local_runner.py --preset smoke --champion nightly
      on fresh data from the weights of the champion "nightly", which the run becomes if it beats it
  python local_runner.py --resume 2026-11-23-143005-1f0a
      goes on with a run that was stopped or killed, or that failed: what is done is not done again
  python local_runner.py --list
  python local_runner.py --prune 2026-11-23-143005-1f0a
      the runs, and the removal of one that nothing else needs
  python -m pipelines.compile -o pipeline.yaml
  python local_runner.py --pipeline pipeline.yaml --preset smoke --set 'overrides={"data.episodes": 512}'
      the same from a compiled file, whose own parameters include preset, seed and overrides

--pipeline takes any compiled KFP pipeline whose components are Python functions. Running one is running the code
that it carries, in this process and with your rights: only run files that you trust.

A run's folder is ROOT/<pipeline>/<run id>: run.json, what each step put out, and checkpoints. Steps are taken from
earlier runs below the same root when their inputs and their code, with all that it imports, are the same.
The same weights come out of the same number of threads, on the same type of processor, only. A resumed run goes on
with as many threads as it began with, unless --threads says another number.
Exit codes: 0 done, 1 a step failed, or the disk, the bucket or another process ended the run, 2 what was asked for is
wrong, 130 stopped by Ctrl-C, 143 by SIGTERM."""

PIPELINE = "dreamblock"  # ours
ROOT = "runs"  # by default
OURS = {"sim_core", "models", "viewer", "components", "pipelines", "local_runner", "__main__"}  # whose errors are known
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}  # full, or not to be written


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for, and return the exit code."""
    options = parser().parse_args(arguments)
    from components.storage import StorageError

    try:
        check_together(options)
        return keep_house(options) if options.list or options.prune else run(options)
    except (ValueError, StorageError, OSError) as error:
        if isinstance(error, ValueError) and not on_purpose(error):
            raise  # a mistake of ours
        print(f"local_runner.py: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        return stopped(stop)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=HELP, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", help="smoke, laptop (the default) or gpu")
    parser.add_argument("--seed", type=int, help="of the data and the trainings, by default 0")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="assignments",
        action="append",
        default=[],
        help="a field of the configuration or, with --pipeline, a parameter of the file; can be repeated",
    )
    parser.add_argument(
        "--root", metavar="DIR", default=ROOT, help="where runs lie, a folder or gs://bucket/prefix; by default runs/"
    )
    parser.add_argument(
        "--champion",
        metavar="NAME",
        help="train on from this champion, on fresh data, and replace it if that is better",
    )
    parser.add_argument("--run-id", metavar="NAME", help="by default the time in UTC, as in 2026-11-23-143005-1f0a")
    parser.add_argument("--no-cache", action="store_true", help="run all steps, and take none from an earlier run")
    parser.add_argument(
        "--checkpoint-seconds", metavar="N", type=float, help="between the checkpoints of a training, by default 60"
    )
    parser.add_argument("--threads", metavar="N", type=int, help="of each step, by default 1")
    parser.add_argument(
        "--resume", metavar="RUN", help="go on with this run, with its parameters; its id, its folder, or as in --list"
    )
    parser.add_argument("--list", action="store_true", help="show the runs: state, age, size and figures")
    parser.add_argument(
        "--prune", metavar="RUN", action="append", help="remove this run, unless another needs it; can be repeated"
    )
    parser.add_argument(
        "--force", action="store_true", help="prune what is needed, resume what another machine may be at"
    )
    parser.add_argument("--open", action="store_true", help="open the report in the browser at the end")
    parser.add_argument("--pipeline", metavar="FILE", type=Path, help="a compiled pipeline to run instead of ours")
    return parser


def check_together(options: argparse.Namespace) -> None:
    """Raise a ValueError for options that make no sense together, or have no sensible value."""
    modes = {"--resume": options.resume is not None, "--list": options.list, "--prune": bool(options.prune)}
    chosen = [name for name, value in modes.items() if value]
    if len(chosen) > 1:
        raise ValueError(f"{chosen[0]} and {chosen[1]} are two things to do: ask for one at a time")
    new = {"--preset": options.preset, "--seed": options.seed, "--champion": options.champion}
    new["--run-id"] = options.run_id
    given = [name for name, value in new.items() if value is not None] + ["--set"] * bool(options.assignments)
    if chosen and given:
        raise ValueError(f"{given[0]} is for a new run, and does not go with {chosen[0]}")
    if options.seed is not None and options.champion:
        raise ValueError("--seed does not go with --champion, whose runs take fresh seeds from the clock")
    running = {"--threads": options.threads, "--checkpoint-seconds": options.checkpoint_seconds}
    running |= {"--pipeline": options.pipeline, "--no-cache": options.no_cache or None, "--open": options.open or None}
    given = [name for name, value in running.items() if value is not None]
    if given and (options.list or options.prune):
        raise ValueError(f"{given[0]} is for a run, and does not go with {chosen[0]}")
    if options.open and "://" in options.root:
        raise ValueError(f"--open needs a report on this machine, but the root is {options.root}")
    if options.threads is not None and options.threads < 1:
        raise ValueError(f"--threads must be a whole number of at least 1, got {options.threads}")
    if options.force and "--resume" not in chosen and "--prune" not in chosen:
        raise ValueError("--force goes with --resume or --prune")
    seconds = options.checkpoint_seconds
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise ValueError(f"--checkpoint-seconds must be a number of at least 0, got {seconds}")


def keep_house(options: argparse.Namespace) -> int:
    """List or remove runs."""
    from pipelines.light_kfp import import_kfp

    import_kfp()
    from pipelines.engine.housekeeping import prune, runs
    from pipelines.summary import listing

    root = absolute(options.root)
    if options.prune:
        freed = prune(root, options.prune, force=options.force)
        print(f"removed {', '.join(options.prune)}: {freed / 1e6:.1f} MB")
    else:
        found = runs(root)
        missing = "://" not in root and not Path(root).is_dir()
        nothing = f"there are no runs: there is no folder {root}" if missing else f"there are no runs in {root}"
        print(listing(found) if found else nothing)
    return 0


def run(options: argparse.Namespace) -> int:
    """Check everything that can be checked, and only then run.

    Raises:
        ValueError: one sentence on what was asked for and is wrong. Nothing has run.
        KeyboardInterrupt: it was stopped before there was a run. One that is stopped later says how to go on.
    """
    from components import storage
    from models.threads import number_of_threads
    from pipelines.light_kfp import import_kfp

    root = absolute(options.root)
    import_kfp()
    of_file = from_file(options) if options.pipeline else None
    pipeline = of_file[0].name if of_file else PIPELINE
    if options.resume is not None:
        options.resume = id_of(options.resume, root, pipeline)
    set_environment(options, root, pipeline)
    threads = number_of_threads()
    spec, parameters = of_file or from_source(options)

    from pipelines.engine.attempts import Superseded, run_uri
    from pipelines.engine.execute import TaskFailed, execute, resume
    from pipelines.engine.record import FILE
    from pipelines.summary import announce, reports, summary

    run_id = options.resume if options.resume is not None else options.run_id
    if run_id is None:
        run_id = f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{secrets.token_hex(2)}"
    uri = run_uri(root, spec.name, run_id)
    how: dict[str, Any] = {"threads": threads, "cache": not options.no_cache, "on_change": announce(uri, sys.stderr)}
    try:
        if options.resume is not None:
            record = resume(spec, root, run_id, force=options.force, tell=tell, **how)
        else:
            record = execute(spec, parameters, root, run_id, tell=tell, **how)
    except (TaskFailed, Superseded) as failure:
        if failure.__cause__ and not explains_itself(failure.__cause__):
            traceback.print_exception(failure.__cause__)
        print(f"local_runner.py: {failure}", file=sys.stderr)
        return 1
    except (OSError, storage.StorageError) as error:
        hint = resuming(options, run_id)
        print(f"local_runner.py: the run stopped: {error}; when that is mended: {hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        begun = True  # as far as a storage tells that does not answer, which may be what it was stopped for
        with suppress(OSError, storage.StorageError):
            begun = storage.exists(storage.join(uri, FILE))
        return stopped(stop, f"; to go on: {resuming(options, run_id)}" if begun else "")
    print(summary(record, uri))
    if options.open:
        show(reports(record))
    return 0


def id_of(name: str, root: str, pipeline: str) -> str:
    """The id of a pipeline's run that is named by it, by its folder, or as --list has it, after the pipeline's name.

    Raises:
        ValueError: it is named after another pipeline.
    """
    from components import storage

    folder = Path(name).absolute()
    if "/" in name and "://" not in root and folder.is_relative_to(root):
        name = folder.relative_to(root).as_posix()
    other = name.rpartition("/")[0]
    if other not in ("", pipeline) and other in storage.children(root):
        raise ValueError(f"the run {name!r} is of the pipeline {other!r}, not of {pipeline!r}: name its --pipeline")
    return name.removeprefix(f"{pipeline}/")


def resuming(options: argparse.Namespace, run_id: str) -> str:
    """The options with which the run that these began goes on."""
    words = ["--resume", run_id]
    words += ["--root", options.root] if options.root != ROOT else []
    words += ["--pipeline", str(options.pipeline)] if options.pipeline else []
    return shlex.join(words)


def show(pages: list[str]) -> None:
    """Open the reports of a run."""
    from viewer.browser import open_page

    for page in pages:
        open_page(Path(page))
    if not pages:
        tell("the run made no report to open")


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def set_environment(options: argparse.Namespace, root: str, pipeline: str) -> None:
    """Set what the steps of a pipeline, by its name, are told by the environment, before NumPy and torch read it."""
    from models.threads import WAITING
    from pipelines.engine.attempts import existing, run_uri

    if options.resume is not None:
        # As many as the run has begun with, whatever is set here: with another number all of it would begin anew.
        os.environ["OMP_NUM_THREADS"] = str(existing(run_uri(root, pipeline, options.resume)).threads)
    if options.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "OMP_WAIT_POLICY" not in os.environ:  # which they would overrule
        for name, value in WAITING.items():
            os.environ.setdefault(name, value)
    if options.checkpoint_seconds is not None:
        os.environ["DREAMBLOCK_CHECKPOINT_SECONDS"] = str(options.checkpoint_seconds)


def from_source(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """Our pipeline, compiled, and its parameters."""
    from pipelines.assignments import named, plain_value, require_form

    preset, seed = "laptop" if options.preset is None else options.preset, options.seed or 0
    overrides = {name: plain_value(text) for name, text in named(options.assignments)}
    for name, value in overrides.items():
        require_form(name, value)
    require_sound(preset, seed, overrides, options.champion)

    from pipelines.build import BuildConfig
    from pipelines.engine.spec import load_spec
    from pipelines.write import write_pipeline

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        write_pipeline(file, BuildConfig())
        champion = {"champion": options.champion} if options.champion else {}
        return load_spec(file), {"preset": preset, "seed": seed, "overrides": overrides, **champion}


def from_file(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The pipeline of a file, and the parameters for it; the preset and the seed are parameters like others.

    A file of our own pipeline takes settings, part.name=value, as the pipeline does without a file.
    """
    from pipelines.assignments import named, plain_value
    from pipelines.engine.parameters import check_parameters, parse_parameter
    from pipelines.engine.spec import load_spec

    spec = load_spec(options.pipeline)
    if options.resume is not None:  # whose parameters are in its record
        return spec, {}
    given = {"preset": options.preset, "seed": options.seed, "champion": options.champion}
    parameters = {name: value for name, value in given.items() if value is not None}
    assignments = dict(named(options.assignments))
    settings = [name for name in assignments if "." in name] if spec.name == PIPELINE else []
    overrides = {name: plain_value(assignments.pop(name)) for name in settings}
    parameters |= {name: parse_parameter(spec, name, text) for name, text in assignments.items()}
    if overrides:
        parameters["overrides"] = parameters.get("overrides", {}) | overrides
    parameters = check_parameters(spec, parameters)
    if spec.name == PIPELINE:
        preset, seed, overrides = (parameters[name] for name in ("preset", "seed", "overrides"))
        require_sound(preset, seed, overrides, parameters["champion"] or None)
    return spec, parameters


def require_sound(preset: str, seed: int, overrides: dict[str, Any], champion: str | None) -> None:
    """Raise a ValueError for parameters of our pipeline that its first step would refuse."""
    from components.champions import require_name
    from components.configuration import resolve

    if champion is not None:
        require_name(champion)
    resolve(preset, seed, overrides)


def absolute(root: str) -> str:
    """A root as an absolute path, or as the URI that it is. Raises a ValueError for what is neither."""
    if root and not re.match(r"[a-z0-9]+:/", root):
        return str(Path(root).absolute())
    if not re.fullmatch(r"gs://[a-z0-9][a-z0-9._-]+[a-z0-9](/.*)?", root):
        raise ValueError(f"--root takes a folder of this machine or gs://bucket/prefix, got {root!r}")
    return root.rstrip("/")


def explains_itself(error: BaseException) -> bool:
    """Whether our own code raised it on purpose, or a disk did: the message says it, and a traceback would hide it."""
    ours = type(error).__module__.partition(".")[0] in OURS
    disks = isinstance(error, OSError) and error.errno in DISK
    return ours or disks or (isinstance(error, (ValueError, OSError)) and on_purpose(error))


def on_purpose(error: BaseException) -> bool:
    """Whether a `raise` of the project's own code raised it."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    by_us = frame.f_globals["__name__"].partition(".")[0] in OURS
    return by_us and linecache.getline(frame.f_code.co_filename, line).lstrip().startswith("raise ")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminate)  # ends a run as Ctrl-C does: run.json says so
    sys.exit(main())
