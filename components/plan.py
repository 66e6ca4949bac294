"""The first step: what the run's parameters mean for each stage."""

from typing import NamedTuple

from components.component import component


@component
def plan(preset: str, seed: int, overrides: dict, gpu_type: str = "", gpus: int = 0) -> NamedTuple(  # type: ignore[valid-type]
    "Plan",
    [
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
    Kubernetes, which places the trainings.
    """
    from dataclasses import asdict

    from components.configuration import resolve
    from components.placement import placement, require_equal_parts
    from components.shards import split

    configuration = resolve(preset, seed, overrides)
    placed = placement(gpu_type, int(gpus))
    require_equal_parts(configuration, int(gpus))
    parts = asdict(configuration)
    return (
        [asdict(shard) for shard in split(configuration.data, configuration.world)],
        {"world_model": parts["world_model"], "training": parts["world_model_training"]},
        {"world": parts["world"], "check": parts["check"], "seed": configuration.data.seed},
        {"policy": parts["policy"], "training": parts["policy_training"]},
        parts,
        *placed,
    )
