"""Which images the steps run in: named by digest, by default those that images/build.sh has pushed last."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parents[1] / "images" / "lock.json"
BY_DIGEST = re.compile(r"[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Images:
    """Of the steps that need no GPU, and of the trainings; and of what commit they are, "" if nobody says."""

    cpu: str
    gpu: str
    commit: str = ""


def built() -> Images | None:
    """What images/build.sh has written down, None before it has pushed any.

    Raises:
        ValueError: the file is not what it writes.
    """
    try:
        lock = json.loads(LOCK.read_text(encoding="utf-8"))
        images = Images(lock["cpu"], lock["gpu"], lock["commit"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{LOCK} cannot be read, bash images/build.sh writes it anew: {error!r}") from error
    for image in (images.cpu, images.gpu):
        require_digest(image)
    return images


def require_digest(image: str) -> None:
    """Raise a ValueError for an image that is not named by digest, and may be another tomorrow."""
    if not BY_DIGEST.fullmatch(image):
        raise ValueError(
            f"an image is named by digest, registry/name@sha256:..., got {image!r}, which can become another while "
            "Kubeflow takes steps from its cache as if it had not; --allow-mutable-tag takes it nevertheless"
        )
