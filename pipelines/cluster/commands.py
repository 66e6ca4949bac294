"""The commands of `python -m pipelines.submit`: each takes the way to the cluster and its options, and tells."""

import argparse
import io
import sys
import tempfile
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path

from pipelines import compile
from pipelines.cluster import pods, recurring, results, runs, versions
from pipelines.cluster.connection import Where, connected
from pipelines.cluster.cron import read_cron
from pipelines.cluster.errors import ClusterError
from pipelines.cluster.parameters import for_version, wanted
from pipelines.cluster.tables import of_run, of_runs, watcher
from pipelines.cluster.watch import watch
from pipelines.root import bucket_root
from viewer.commit import unchanged_commit

SHOWN = 20  # runs in a list
SUBMIT = "python -m pipelines.submit"


def upload(where: Where, options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "pipeline.yaml"
        if not options.file:
            with redirect_stdout(io.StringIO()):  # what it says of a file that nobody keeps
                failed = compile.main(["-o", str(path), *options.compile])
            if failed:
                return failed
        versions.check_file(path)
        name = versions.version_name(path, "" if options.file else unchanged_commit())
        with connected(where) as client:
            new = versions.upload(client, path, name)
    print(f"version {name} {'is uploaded' if new else 'is there already, with the same content'}")
    print(f"a run of it: {SUBMIT} run" + ("" if new else f" --version {name}"))
    return 0


def run(where: Where, options: argparse.Namespace) -> int:
    asked = wanted(options.preset, options.seed, options.champion or "", options.assignments)
    root = options.root and bucket_root(options.root)
    with connected(where) as client:
        version = versions.find_version(client, options.version)
        parameters = for_version(asked, versions.plain_spec(version.pipeline_spec))
        started = runs.start(client, version, parameters, root)
    print(f"run {started.run_id} of version {version.display_name}", flush=True)
    if options.wait:
        return _wait(where, started.run_id)
    print(f"how it goes: {SUBMIT} status {started.run_id}")
    print(f"its films:   {SUBMIT} fetch {started.run_id}")
    return 0


def schedule(where: Where, options: argparse.Namespace) -> int:
    if options.remove and options.cron:
        raise ValueError("--cron starts a recurring run and --remove ends it: give one of them")
    if options.remove:
        given = [
            name for name in ("preset", "seed", "champion", "root", "version") if getattr(options, name) is not None
        ]
        if given or options.assignments:
            raise ValueError(f"--{given[0] if given else 'set'} is for a run, and does not go with --remove")
        with connected(where) as client:
            recurring.unschedule(client, options.name)
        print(f"{options.name} is removed; what it has started goes on")
        return 0
    if not options.cron:
        raise ValueError('schedule needs --cron, as in --cron "0 3 * * *" for each night at three, or --remove')
    cron = read_cron(options.cron)
    champion = options.name if options.champion is None else options.champion
    asked = wanted(options.preset, options.seed, champion, options.assignments)
    root = options.root and bucket_root(options.root)
    with connected(where) as client:
        version = versions.find_version(client, options.version)
        parameters = for_version(asked, versions.plain_spec(version.pipeline_spec))
        replaced = recurring.schedule(client, options.name, cron, version, parameters, root)
    print(f"{options.name}: {cron.words}, in UTC{', instead of the schedule before' if replaced else ''}")
    print(f"runs version {version.display_name}, one at a time, and makes up for none that was missed")
    if champion:
        print(f"each begins from the champion {champion}, with fresh data, and replaces it if it beats it")
    print("next: " + ", ".join(f"{time:%a %Y-%m-%d %H:%M:%S}" for time in cron.next))
    return 0


def status(where: Where, options: argparse.Namespace) -> int:
    with connected(where) as client:
        found = runs.find(client, options.run)
    print(of_run(found))
    if found.state == "FAILED":
        print(f"\n{_why(where, found)}")
    elif found.state not in runs.ENDS:
        try:
            for line in pods.waiting(where, found.run_id):
                print(f"\nwaits: {line}")
        except ClusterError as error:
            print(error, file=sys.stderr)
    return 0


def show_list(where: Where, options: argparse.Namespace) -> int:
    with connected(where) as client:
        print(of_runs(islice(runs.newest(client), SHOWN), recurring.every(client)))
    return 0


def fetch(where: Where, options: argparse.Namespace) -> int:
    if options.run and options.recurring:
        raise ValueError("a run is fetched by its id or as the latest of --recurring, not both")
    root = options.root and bucket_root(options.root)
    if root and options.run:
        results.require_run(root, options.run)
        run_id, missing = options.run, f"the run {options.run} has no films in {root}: it goes on, or has failed"
    else:
        found, root = _asked_for(where, options, root)
        run_id, missing = found.run_id, _no_films(found, root)
    uri = results.evaluation(root, run_id)
    if uri is None:
        raise ValueError(missing)
    for file in results.fetch(uri, options.output / run_id):
        print(file)
    return 0


COMMANDS = {"upload": upload, "run": run, "schedule": schedule, "status": status, "list": show_list, "fetch": fetch}


def _wait(where: Where, run_id: str) -> int:
    try:
        ended = watch(where, run_id, watcher(sys.stdout))
    except (KeyboardInterrupt, ClusterError):
        print(f"\nthe run goes on: {SUBMIT} status {run_id}", file=sys.stderr)
        raise
    if ended.state == "SUCCEEDED":
        print(f"\nits films: {SUBMIT} fetch {run_id}")
        return 0
    print(f"\n{_why(where, ended)}" if ended.state == "FAILED" else f"\nthe run was {runs.said(ended.state)}")
    return 1


def _why(where: Where, failed: runs.Run) -> str:
    """Why a run failed, as far as Kubeflow Pipelines and Kubernetes know."""
    step = runs.failing_step(failed)
    if step is None:
        return f"the run failed and no step did: {failed.error.message if failed.error else 'nobody says why'}"
    try:
        return pods.failure(where, failed.run_id, step)
    except ClusterError as error:
        return f"{step} failed; {error}"


def _asked_for(where: Where, options: argparse.Namespace, root: str | None) -> tuple[runs.Run, str]:
    """The run that is to be fetched, and the root that it lies under."""
    with connected(where) as client:
        if options.run:
            found = runs.find(client, options.run)
        else:
            named = recurring.find(client, options.recurring) if options.recurring else []
            by = [one for schedule in named for one in recurring.ids(schedule)]
            found = runs.latest_success(client, by if options.recurring else None)
        return found, root or bucket_root(runs.root(client, found))


def _no_films(found: runs.Run, root: str) -> str:
    if found.state == "FAILED":
        step = runs.failing_step(found) or "no step that is known"
        return f"the run {found.run_id} failed, at {step}, and has no films: {SUBMIT} status {found.run_id}"
    if found.state not in runs.ENDS:
        going = [step.name for step in runs.steps(found) if "RUNNING" in step.states]
        return f"the run {found.run_id} is still going, at {', '.join(going) or 'its beginning'}, and has no films yet"
    return f"the run {found.run_id}, {runs.said(found.state)}, has no whole evaluation in {root}"
