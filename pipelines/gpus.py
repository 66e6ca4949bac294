"""The GPUs that GKE offers, and how many of them a node has: from the table that setup/gpus.sh makes pools by."""

from pathlib import Path

TABLE = Path(__file__).parents[1] / "setup" / "gpus.tsv"


def offered() -> dict[str, list[int]]:
    """The numbers of GPUs that a node can have, by type."""
    counts: dict[str, list[int]] = {}
    for kind, count, *_ in _rows():
        counts.setdefault(kind, []).append(int(count))
    return counts


def on_spot_only(gpu_type: str, gpus: int) -> bool:
    """Whether Google gives such nodes on spot only."""
    return any(row[:2] == [gpu_type, str(gpus)] and row[3:] == ["spot"] for row in _rows())


def require_offered(gpu_type: str, gpus: int) -> None:
    """Raise a ValueError if GKE has no node with so many GPUs of this type; the nearest type is named."""
    counts = offered()
    if gpu_type not in counts:
        from components.configuration import nearest  # which imports NumPy

        meant = nearest(gpu_type.lower().replace("_", "-"), list(counts))
        raise ValueError(f"GKE offers no GPU {gpu_type!r} that PyTorch runs on, the nearest is {meant!r}")
    if gpus not in counts[gpu_type]:
        *most, last = map(str, counts[gpu_type])
        allowed = f"{', '.join(most)} or {last}" if most else last
        raise ValueError(f"a node has {allowed} GPUs of type {gpu_type}, got {gpus}")


def _rows() -> list[list[str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if not line.startswith("#")]
