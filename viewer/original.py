"""The recorded figures of the original's published weights, to stand beside ours."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any


def recorded() -> dict[str, Any]:
    """The record, `viewer/original.json`."""
    return json.loads((files("viewer") / "original.json").read_text("utf-8"))


def beside_original(dreams: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Entries of "dream", of which the one as the original's was measured has its error by horizon, `original_px`."""
    original = recorded()["dream"]
    error = dict(zip(original["horizon_timesteps"], original["centroid_error_px"], strict=True))
    measured = ("as_the_original", original["context_timesteps"])
    return [
        {**dream, "original_px": [error.get(horizon) for horizon in dream["horizon"]]}
        if (dream["set"], dream["context"]) == measured
        else dict(dream)
        for dream in dreams
    ]
