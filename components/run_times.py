"""How long a run has taken until now."""

import json
from datetime import datetime
from typing import Any

from components import storage


def run_times(output: str) -> dict[str, Any]:
    """When the run began that the URI of an output is of, and the time of each step that it has done.

    Nothing where no `run.json` is kept: on a cluster, whose own page shows it.
    """
    text = storage.read_text(storage.join(output.rsplit("/", 3)[0], "run.json"))
    if text is None:
        return {}
    record = json.loads(text)
    done = [task for task in record["tasks"] if task["state"] == "SUCCEEDED"]
    times = {
        f"{task['name']}/{task['execution']}": f"from {task['cached_from']}"
        if task["cached_from"]
        else f"{task['seconds']:.1f} s"
        for task in done
    }
    return {"started": f"{datetime.fromisoformat(record['started']):%Y-%m-%d %H:%M} UTC", "times": times}
