"""Which code a run is of."""

import os
import subprocess
from pathlib import Path

VARIABLE = "DREAMBLOCK_COMMIT"  # set in the images, which have no git
PROJECT = Path(__file__).parents[1]
DIRTY, UNKNOWN = "-dirty", "unknown"


def commit(digits: int = 12) -> str:
    """The project's commit, with "-dirty" where files were changed since; "unknown" where nothing tells.

    Args:
        digits: of the commit, of 40; an image says all of them.
    """
    if told := os.environ.get(VARIABLE):
        return told
    if not (PROJECT / ".git").exists():  # or a repository would answer that the project is only installed in
        return UNKNOWN
    command = ["git", "-C", str(PROJECT), "describe", "--always", f"--dirty={DIRTY}", f"--abbrev={digits}"]
    try:
        return subprocess.run([*command, "--exclude=*"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN


def unchanged_commit() -> str:
    """The commit that the project is as it stands, "" if it has changes or nothing tells."""
    said = commit()
    return "" if said == UNKNOWN or said.endswith(DIRTY) else said
