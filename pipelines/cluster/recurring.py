"""Recurring runs: one a name, one at a time, replaced by name, since Kubeflow Pipelines edits none.

The description of each has the ids of those that it has replaced, so that their runs are still found by the name.
"""

import json
from typing import Any, TypeAlias

import kfp_server_api
from kfp.client import Client
from kfp_server_api.exceptions import ApiException

from components.configuration import nearest
from pipelines.cluster.cron import Cron
from pipelines.cluster.errors import ClusterError
from pipelines.cluster.pages import pages
from pipelines.cluster.runs import experiment, reference
from pipelines.cluster.versions import Version

RecurringRun: TypeAlias = kfp_server_api.V2beta1RecurringRun
REPLACES = "replaces "  # begins the description
REMEMBERED = 50  # ids in it


def schedule(
    client: Client, name: str, cron: Cron, version: Version, parameters: dict[str, Any], root: str | None
) -> int:
    """Have runs of a version started by `cron`, and end the recurring runs that have had this name: how many.

    Runs that were missed, while the cluster was down, are not made up for.

    Raises:
        ClusterError: one of before could not be ended. The new one is there all the same.
    """
    ours = experiment(client)
    before = _named(client, ours, name)
    new = RecurringRun(
        experiment_id=ours,
        display_name=name,
        description=_replacing(before),
        pipeline_version_reference=reference(version),
        runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=parameters, pipeline_root=root),
        trigger=kfp_server_api.V2beta1Trigger(cron_schedule=kfp_server_api.V2beta1CronSchedule(cron=cron.expression)),
        mode=kfp_server_api.RecurringRunMode.ENABLE,
        no_catchup=True,
        max_concurrency=1,
    )
    client.recurring_runs.recurring_run_service_create_recurring_run(recurring_run=new)
    for old in before:
        try:
            client.delete_recurring_run(old.recurring_run_id)
        except ApiException as error:
            if error.status != 404:  # else another has ended it
                raise ClusterError(
                    f"{name!r} is scheduled anew, but its former schedule {old.recurring_run_id} is still there, since "
                    f"the cluster answers {error.status} {error.reason}: schedule it once more"
                ) from error
    return len(before)


def unschedule(client: Client, name: str) -> None:
    """End the recurring runs of this name; runs that it has started go on.

    Raises:
        ValueError: there is none, the nearest is named.
    """
    for found in find(client, name):
        client.delete_recurring_run(found.recurring_run_id)


def find(client: Client, name: str) -> list[RecurringRun]:
    """The recurring runs of this name: one, or for the moment of a replacement two, the newest first.

    Raises:
        ValueError: there is none, the nearest is named.
    """
    ours = experiment(client)
    if found := _named(client, ours, name):
        return found
    known = [other.display_name for other in every(client)]
    offer = f"the nearest of {len(known)} is {nearest(name, known)!r}" if known else "there are none yet"
    raise ValueError(f"there is no recurring run {name!r}: {offer}")


def ids(recurring: RecurringRun) -> list[str]:
    """Its own, and those of the ones that have had its name before."""
    begin, _, former = (recurring.description or "").partition(REPLACES)
    return [recurring.recurring_run_id, *([] if begin else former.split())]


def every(client: Client) -> list[RecurringRun]:
    """All of ours, the newest first."""
    return _ask(client, experiment(client), None)


def _replacing(before: list[RecurringRun]) -> str | None:
    former = dict.fromkeys(one for old in before for one in ids(old))
    return REPLACES + " ".join(list(former)[:REMEMBERED]) if former else None


def _named(client: Client, ours: str, name: str) -> list[RecurringRun]:
    equals = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    found = _ask(client, ours, json.dumps({"predicates": [equals]}))
    return [
        one for one in found if one.display_name == name
    ]  # to Kubeflow's database large and small letters are alike


def _ask(client: Client, ours: str, only: str | None) -> list[RecurringRun]:
    found = pages(client.list_recurring_runs, experiment_id=ours, filter=only)
    return [one for page in found for one in page.recurring_runs or []]
