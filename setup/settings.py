"""Which project, cluster and bucket: of the environment, or of files in the root, as setup/common.sh reads them."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
CLUSTER = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z]")
BUCKET = re.compile(r"(?!goog)(?!.*google)[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Settings:
    """What the scripts of setup/ are told."""

    project: str
    cluster: str
    zone: str
    bucket: str

    def __post_init__(self):
        for name, value, rule, allowed in (
            ("GKE_PROJECT", self.project, PROJECT, "6 to 30 of a-z, 0-9 and -, begin with a letter and not end in -"),
            ("GKE_CLUSTER", self.cluster, CLUSTER, "1 to 40 of a-z, 0-9 and -, begin with a letter and not end in -"),
            ("GKE_ZONE", self.zone, ZONE, "a zone like us-central1-a"),
            (
                "GKE_BUCKET",
                self.bucket,
                BUCKET,
                "3 to 63 of a-z, 0-9, - and _, begin and end with a letter or a digit, and neither begin with goog "
                "nor contain google",
            ),
        ):
            if not value:
                raise ValueError(f"{name} is not set: export it, or write it into a file of that name in {ROOT}")
            if not rule.fullmatch(value):
                raise ValueError(f"{name} must be {allowed}, got {value!r}")

    @property
    def context(self) -> str:
        """The cluster's name in kubectl's configuration."""
        return f"gke_{self.project}_{self.zone}_{self.cluster}"

    def email(self, account: str) -> str:
        """Of one of the project's service accounts."""
        return f"{account}@{self.project}.iam.gserviceaccount.com"


def read_settings(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> Settings:
    """Raise ValueError for one that is missing, or breaks Google Cloud's rules."""

    def setting(name: str, default: str = "") -> str:
        file = root / name
        return environment.get(name) or ("".join(file.read_text().split()) if file.is_file() else "") or default

    project = setting("GKE_PROJECT")
    bucket = setting("GKE_BUCKET", f"{project}-dreamblock").removeprefix("gs://")
    return Settings(project, setting("GKE_CLUSTER"), setting("GKE_ZONE", "us-central1-a"), bucket)
