"""The GPUs that GKE offers, and how many of them a node has: from the table that setup/gpus.sh makes pools by."""

from pathlib import Path

TABLE = Path(__file__).parents[1] / "setup" / "gpus.tsv"


def offered() -> dict[str, list[int]]:
    """The numbers of GPUs that a node can have, by type."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    counts: dict[str, list[int]] = {}
    for kind, count, _ in (line.split() for line in lines if not line.startswith("#")):
        counts.setdefault(kind, []).append(int(count))
    return counts


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
