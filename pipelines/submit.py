"""The pipeline on a cluster, from upload to its films: python -m pipelines.submit list (see --help)."""

import argparse
import logging
import os
import re
import signal
import sys
from pathlib import Path

from viewer.command_line import command_parser, stoppable, terminate

# What takes long to import, kfp above all, is imported where it is used: --help answers at once.

HELP = "Upload the pipeline to Kubeflow Pipelines, run it, by hand or on a schedule, and get out what it has made."

EXAMPLES = """\
examples:
  python -m pipelines.submit upload --image-cpu IMAGE --image-gpu IMAGE --root gs://bucket/prefix
      a new version of the pipeline; options of python -m pipelines.compile are handed to it
  python -m pipelines.submit upload --file pipeline.yaml
      a new version from a file that was compiled before
  python -m pipelines.submit run --preset gpu --seed 3 --set policy_training.steps=800 --wait
      a run of the newest version, with a table of its steps until it ends
  python -m pipelines.submit schedule nightly --cron "0 3 * * *" --preset gpu
      a run each night at three, in UTC, from the champion "nightly", which it becomes if it beats it; a recurring run
      of the same name is replaced, and --champion "" is for runs that know of no other
  python -m pipelines.submit schedule nightly --remove
  python -m pipelines.submit list
  python -m pipelines.submit status
      the newest run, or the one that is named: its steps, and of one that failed the last lines of the log
  python -m pipelines.submit fetch --recurring nightly
      the films, the report and the figures of its latest success into fetched/RUN_ID/
  python -m pipelines.submit fetch RUN_ID --root gs://bucket/prefix
      the same from the bucket alone, when there is no cluster any more

the way to the cluster: `kubectl port-forward`, which is started here and ended again; inside of the cluster its
service; or --host, with --iap-client-id behind Google's Identity-Aware Proxy (for which your own account needs
KF_PIPELINES_APP_OAUTH2_CLIENT_ID and KF_PIPELINES_APP_OAUTH2_CLIENT_SECRET) or with a token in KFP_TOKEN.

Exit codes: 0 done, 1 a run failed, or the cluster or the bucket does not do as it is asked, 2 what was asked for is
wrong, 130 stopped by Ctrl-C, 143 by SIGTERM; a run that was begun goes on."""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit code."""
    options = parse(arguments)
    from components.storage import StorageError
    from pipelines.cluster.commands import COMMANDS
    from pipelines.cluster.connection import Where
    from pipelines.cluster.errors import ClusterError

    for library in ("urllib3", "google.auth"):  # which report each try, and we what came of them
        logging.getLogger(library).setLevel(logging.ERROR)
    token = os.environ.get("KFP_TOKEN", "")  # not an option: a command line is there for all to read
    try:
        where = Where(options.host, options.context, options.namespace, options.iap_client_id, token)
        return COMMANDS[options.command](where, options)
    except ValueError as error:
        print(f"pipelines.submit: error: {error}", file=sys.stderr)
        return 2
    except (ClusterError, StorageError, OSError) as error:
        print(f"pipelines.submit: {error}", file=sys.stderr)
        return 1


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options; those that only `upload` may have are kept in `compile`."""
    parser = command_parser("pipelines.submit", HELP, EXAMPLES)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    upload = _command(commands, "upload", "make the pipeline a version on the cluster")
    upload.add_argument(
        "--file",
        metavar="YAML",
        type=Path,
        help="a compiled pipeline; by default it is compiled now, with options of python -m pipelines.compile but -o",
    )

    run = _command(commands, "run", "start a run")
    _add_parameters(run, "none", seed="not with a champion")
    run.add_argument("--wait", action="store_true", help="show its steps until it ends; 1 if it fails")

    schedule = _command(commands, "schedule", "start runs again and again")
    schedule.add_argument("name", metavar="NAME", help="of the recurring run; one of the same name is replaced")
    schedule.add_argument("--cron", metavar="EXPRESSION", help="five fields, or six with a second before them; in UTC")
    schedule.add_argument("--remove", action="store_true", help="end the recurring run instead")
    _add_parameters(schedule, "NAME, that of the recurring run", seed='only with --champion ""')

    status = _command(commands, "status", "show the steps of a run, and why it failed")
    status.add_argument("run", metavar="RUN_ID", nargs="?", help="by default the newest")

    _command(commands, "list", "show the runs and the recurring runs")

    fetch = _command(commands, "fetch", "bring films, report and figures to this machine")
    fetch.add_argument("run", metavar="RUN_ID", nargs="?", help="by default the newest that succeeded")
    fetch.add_argument("--recurring", metavar="NAME", help="the newest success of this recurring run")
    fetch.add_argument("--root", metavar="GS_URI", help="where the runs lie; by default the cluster is asked")
    fetch.add_argument(
        "-o", "--output", metavar="DIR", type=Path, default=Path("fetched"), help="gets a folder RUN_ID; fetched/"
    )

    options, rest = parser.parse_known_args(arguments)
    if rest and (options.command != "upload" or options.file):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if any(re.match("-o|--output", word) for word in rest):
        parser.error("upload keeps no file: python -m pipelines.compile -o writes one, and upload --file takes it")
    return argparse.Namespace(**vars(options), compile=rest)


def _command(commands, name: str, does: str) -> argparse.ArgumentParser:
    """The parser of a command, with the options that all have."""
    described = {"help": does, "description": f"{does[0].upper()}{does[1:]}."}
    epilog = "Examples: python -m pipelines.submit --help"
    parser = commands.add_parser(name, **described, epilog=epilog, allow_abbrev=False)
    parser.set_defaults(command=name)
    way = parser.add_argument_group("the way to the cluster")
    way.add_argument(
        "--host",
        metavar="URL",
        default=os.environ.get("KF_PIPELINES_ENDPOINT", ""),
        help="of Kubeflow Pipelines, instead of kubectl port-forward; KF_PIPELINES_ENDPOINT",
    )
    way.add_argument("--context", metavar="NAME", default="", help="kubectl's, by default the current one")
    way.add_argument("--namespace", metavar="NAME", default="kubeflow", help="of Kubeflow Pipelines; kubeflow")
    way.add_argument(
        "--iap-client-id",
        metavar="ID",
        default=os.environ.get("KF_PIPELINES_IAP_OAUTH2_CLIENT_ID", ""),
        help="of the Identity-Aware Proxy before the host; KF_PIPELINES_IAP_OAUTH2_CLIENT_ID",
    )
    return parser


def _add_parameters(parser: argparse.ArgumentParser, champion: str, *, seed: str) -> None:
    parser.add_argument("--preset", help="smoke, laptop or gpu; by default what the version says")
    parser.add_argument("--seed", type=int, help=f"of the data and the trainings; {seed}")
    parser.add_argument(
        "--champion",
        metavar="NAME",
        help=f"train on from this champion, on fresh data, and replace it if that is better; by default {champion}",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="assignments",
        action="append",
        default=[],
        help="a field of the configuration, as policy_training.steps, or a parameter of the pipeline; can be repeated",
    )
    parser.add_argument("--root", metavar="GS_URI", help="where the runs lie; by default what the version says")
    parser.add_argument("--version", metavar="NAME", help="of the pipeline, by default the newest")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminate)  # else it would leave kubectl behind
    sys.exit(main())
