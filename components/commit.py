"""Which code a run is of."""

import os
import subprocess
from pathlib import Path

VARIABLE = "DREAMBLOCK_COMMIT"  # set in the images, which have no git
PROJECT = Path(__file__).parents[1]


def commit() -> str:
    """The project's commit, with "-dirty" where files were changed since; "unknown" where nothing tells."""
    if told := os.environ.get(VARIABLE):
        return told
    if not (PROJECT / ".git").exists():  # or a repository would answer that the project is only installed in
        return "unknown"
    command = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
