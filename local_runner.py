"""Run the pipeline in this process: python local_runner.py --preset smoke"""

import argparse
import json
import linecache
import os
import secrets
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# What takes long to import, torch and kfp above all, is imported where it is used: --help and mistakes answer at once.

HELP = """\
Run the whole pipeline in this process: data, world model, policy, and a report with two films.

The pipeline is compiled, and what was compiled is executed, with the source of the components that it carries."""

EXAMPLES = """\
examples:
  python local_runner.py --preset smoke
      everything in about a minute, to see that it works
  python local_runner.py
      the preset laptop: minutes, and films worth looking at
  python local_runner.py --preset smoke --seed 3 --set policy_training.steps=800 --set world.raster=pixel
      another seed, a longer training of the policy, frames of whole pixels
  python -m pipelines.compile -o pipeline.yaml
  python local_runner.py --pipeline pipeline.yaml --preset smoke --set 'overrides={"data.episodes": 512}'
      the same from a compiled file, whose own parameters are preset, seed and overrides

--pipeline takes any compiled KFP pipeline whose components are Python functions. Running one is running the code
that it carries, in this process and with your rights: only run files that you trust.

A run's folder is ROOT/<pipeline>/<run id>: run.json, what each step put out, and checkpoints.
OMP_NUM_THREADS sets the number of threads, by default 1. The same weights come out of the same number only.
Exit codes: 0 done, 1 a step failed, 2 what was asked for is wrong, 130 stopped by Ctrl-C."""

OURS = {"sim_core", "models", "viewer", "components"}  # the packages whose errors are known


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for, and return the exit code."""
    options = parser().parse_args(arguments)
    # Before torch is imported. Its threads spin otherwise: on a busy machine that is 20 times slower.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return run(options)
    except ValueError as error:
        print(f"local_runner.py: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped by Ctrl-C", file=sys.stderr)
        return 130


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
    parser.add_argument("--root", metavar="DIR", default="runs", help="the folder for runs, by default runs/")
    parser.add_argument("--run-id", metavar="NAME", help="by default the time in UTC, as in 2026-11-23-143005-1f0a")
    parser.add_argument("--pipeline", metavar="FILE", type=Path, help="a compiled pipeline to run instead of ours")
    return parser


def run(options: argparse.Namespace) -> int:
    """Check everything that can be checked, and only then run.

    Raises:
        ValueError: one sentence on what was asked for and is wrong. Nothing has run.
        KeyboardInterrupt: the run was stopped, and its `run.json` says so.
    """
    threads, root = number_of_threads(), local_folder(options.root)
    spec, parameters = from_file(options) if options.pipeline else from_source(options)

    from pipelines.engine.execute import TaskFailed, execute
    from pipelines.summary import announce, summary

    run_id = options.run_id or f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = root / spec.name / run_id
    try:
        record = execute(spec, parameters, root, run_id, threads=threads, on_change=announce(folder, sys.stderr))
    except TaskFailed as failure:
        if failure.__cause__ and not explains_itself(failure.__cause__):
            traceback.print_exception(failure.__cause__)
        print(f"local_runner.py: {failure}", file=sys.stderr)
        return 1
    print(summary(record, folder))
    return 0


def from_source(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """Our pipeline, compiled, and its parameters."""
    from components.configuration import resolve

    preset, seed = "laptop" if options.preset is None else options.preset, options.seed or 0
    overrides = {name: plain_value(text) for name, text in named(options.assignments)}
    resolve(preset, seed, overrides)

    from pipelines.build import BuildConfig
    from pipelines.compile import write_pipeline
    from pipelines.engine.spec import load_spec

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        write_pipeline(file, BuildConfig())
        return load_spec(file), {"preset": preset, "seed": seed, "overrides": overrides}


def from_file(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The pipeline of a file, and the parameters for it; the preset and the seed are parameters like others."""
    from pipelines.engine.parameters import check_parameters, parse_parameter
    from pipelines.engine.spec import load_spec

    spec = load_spec(options.pipeline)
    given = {"preset": options.preset, "seed": options.seed}
    parameters = {name: value for name, value in given.items() if value is not None}
    parameters |= {name: parse_parameter(spec, name, text) for name, text in named(options.assignments)}
    return spec, check_parameters(spec, parameters)


def named(assignments: list[str]) -> list[tuple[str, str]]:
    """The names and texts of NAME=VALUE."""
    for assignment in assignments:
        if "=" not in assignment:
            raise ValueError(f"--set takes NAME=VALUE, got {assignment!r}")
    return [(name, text) for name, _, text in (assignment.partition("=") for assignment in assignments)]


def plain_value(text: str) -> Any:
    """What JSON makes of it: a number, a list; anything else is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def number_of_threads() -> int:
    text = os.environ["OMP_NUM_THREADS"]
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"OMP_NUM_THREADS must be a whole number of at least 1, got {text!r}")
    return int(text)


def local_folder(root: str) -> Path:
    if "://" in root:
        raise ValueError(f"--root takes a folder of this machine, got {root!r}")
    return Path(root).absolute()


def explains_itself(error: BaseException) -> bool:
    """Whether our own code raised it on purpose: the message says it all, and a traceback would hide it."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    on_purpose = linecache.getline(frame.f_code.co_filename, line).lstrip().startswith("raise ")
    by_us = frame.f_globals["__name__"].partition(".")[0] in OURS
    return type(error).__module__.partition(".")[0] in OURS or (isinstance(error, ValueError) and by_us and on_purpose)


if __name__ == "__main__":
    sys.exit(main())
