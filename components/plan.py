"""The first step: what the run's parameters mean for each stage."""

from typing import NamedTuple

from components.component import component


@component
def plan(preset: str, seed: int, overrides: dict, gpu_type: str = "", gpus: int = 0, champion: str = "") -> NamedTuple(  # type: ignore[valid-type]
    "Plan",
    [
        ("start", dict),
        ("shards", list),
        ("world_model", dict),
        ("check", dict),
        ("policy", dict),
        ("configuration", dict),
        ("node_selector", dict),
        ("gpus", str),
    ],
):
    """Resolve the parameters, and refuse what is wrong before anything costs money.

    Each stage is told only what it depends on, so that it is seen which ones a change reaches. The last two are for
    Kubernetes, which places the trainings. A run for a champion takes its seed from the clock. That seed is in what the
    first of the stages is told too, since no cache may answer it: the champion may be another by now.
    """
    from dataclasses import asdict

    from components.champions import seed_for
    from components.configuration import resolve
    from components.placement import placement, require_equal_parts
    from components.shards import beyond, split

    configuration = resolve(preset, seed_for(champion, int(seed)), overrides)
    placed = placement(gpu_type, int(gpus))
    require_equal_parts(configuration, int(gpus))
    parts = asdict(configuration)
    endless = asdict(beyond(configuration.data, configuration.world)) if configuration.data.endless else {}
    first = {name: parts[name] for name in ("seed", "world", "world_model", "policy")}
    return (
        {"champion": champion, **first} if champion else {},
        [asdict(shard) for shard in split(configuration.data, configuration.world)],
        {"world_model": parts["world_model"], "training": parts["world_model_training"], "endless": endless},
        {"world": parts["world"], "check": parts["check"], "seed": configuration.data.seed},
        {"policy": parts["policy"], "training": parts["policy_training"]},
        parts,
        *placed,
    )
