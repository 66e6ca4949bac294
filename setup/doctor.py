"""Check the cluster and what a run needs of Google Cloud: python -m setup.doctor (see --help)."""

import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.images import built
from setup.settings import read_settings
from setup.trouble import Trouble
from viewer.command_line import command_parser, stoppable

if TYPE_CHECKING:
    from setup.checks import Check, Scene

DEADLINE = 3.5  # seconds until what does not answer is said not to, whatever it waits for

HELP = """\
Check what a run on the cluster needs: credentials, the cluster's API server, Kubeflow Pipelines, pools of GPUs and
their drivers, the bucket, Workload Identity, the images. A line for each; where it fails, with what to do.

GKE_PROJECT and GKE_CLUSTER, and GKE_ZONE (us-central1-a) and GKE_BUCKET (GKE_PROJECT-dreamblock), are read from the
environment, or from files of these names in the root of the project."""

EXAMPLES = """\
examples:
  python -m setup.doctor
  python -m setup.doctor --image us-central1-docker.pkg.dev/my-dreams/dreamblock/gpu@sha256:2c26...

exit code: 0 if all is well, 1 if a check fails, 2 for wrong use, 130 stopped by Ctrl-C"""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("setup.doctor", HELP, EXAMPLES)
    parser.add_argument(
        "--image",
        metavar="IMAGE",
        action="append",
        help="an image by digest that must be in its registry; by default those that images/build.sh has pushed last",
    )
    options = parser.parse_args(arguments)
    try:
        settings = read_settings()
        images = options.image or pushed()
    except ValueError as error:
        parser.error(str(error))
    # Elsewhere than on Google's machines nothing answers to these, and google.auth would wait for 9 s.
    os.environ.setdefault("GCE_METADATA_TIMEOUT", "1")
    os.environ.setdefault("GCE_METADATA_DETECT_RETRIES", "1")
    from setup.checks import Scene

    failed = False
    for name, state, text in examine(Scene(settings, images)):
        print(f"{state:<7}  {name:<18}  {text}", flush=True)
        failed = failed or state != "ok"
    return int(failed)


def pushed() -> list[str]:
    """The images that images/build.sh has pushed last, none before the first time."""
    images = built()
    return [images.cpu, images.gpu] if images else []


def examine(scene: "Scene") -> Iterator[tuple[str, str, str]]:
    """Name, state ("ok", "FAILED" or "skipped") and text of each check, in order."""
    from setup.checks import CHECKS

    well: set[str] = set()
    for checks in CHECKS:
        due = [(check, _begin(check, scene) if well.issuperset(check.needs) else None) for check in checks]
        end = time.monotonic() + DEADLINE
        for check, answer in due:
            if answer is None:
                missing = " and ".join(name for name in check.needs if name not in well)
                yield check.name, "skipped", f"needs {missing}"
                continue
            try:
                found = answer.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                found = Trouble(f"no answer within {DEADLINE:g} s", "check the network")
            if isinstance(found, Trouble):
                yield check.name, "FAILED", str(found)
            elif isinstance(found, BaseException):
                raise found
            else:
                well.add(check.name)
                yield check.name, "ok", found


def _begin(check: "Check", scene: "Scene") -> "queue.Queue[str | BaseException]":
    """Look, in a thread that may be left behind: a name that is not resolved cannot be given a timeout."""
    answer: queue.Queue[str | BaseException] = queue.Queue()

    def look() -> None:
        try:
            answer.put(check.look(scene))
        except BaseException as error:
            answer.put(error)

    threading.Thread(target=look, daemon=True).start()
    return answer


if __name__ == "__main__":
    sys.exit(main())
