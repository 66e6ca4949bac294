"""The configuration of a whole run: a preset, a seed and overrides, resolved and checked before anything costs time."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from difflib import SequenceMatcher
from typing import Any, TypeVar, get_type_hints

from models.config import (
    CheckConfig,
    DataConfig,
    EvaluationConfig,
    PolicyConfig,
    PolicyTraining,
    WorldModelConfig,
    WorldModelTraining,
)
from sim_core.world import World

# How a preset differs from the defaults that stand in the dataclasses.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "data.episodes": 1024,
        "data.shards": 2,
        "world_model_training.autoencoder_steps": 700,
        "world_model_training.autoencoder_rate": 0.05,
        "world_model_training.dynamics_steps": 700,
        "world_model_training.dynamics_rate": 0.02,
        "world_model_training.decoder_steps": 200,
        "policy_training.steps": 500,
        "evaluation.episodes": 200,
    },
    "laptop": {
        "world_model_training.autoencoder_steps": 2500,
        "world_model_training.dynamics_steps": 4400,
        "world_model_training.dynamics_batch": 512,
        "world_model_training.dynamics_rate": 0.014,
        "policy_training.steps": 2500,
    },
    "gpu": {
        "data.episodes": 32768,
        "data.shards": 8,
        "world_model.state": 128,
        "world_model.lstm": 128,
        "world_model.mlp": 256,
        "world_model.depth": 1,  # as the weights in pretrained/, from which its runs can begin
        "world_model_training.autoencoder_steps": 10000,
        "world_model_training.autoencoder_batch": 1024,
        "world_model_training.autoencoder_rate": 0.03,
        "world_model_training.dynamics_steps": 60000,
        "world_model_training.dynamics_batch": 1024,
        "world_model_training.dynamics_rate": 0.007,
        "world_model_training.delta": 0.01,
        "world_model_training.lost": 0.1,
        "policy_training.steps": 6000,
        "policy_training.batch": 256,
        "policy_training.rate": 0.005,
    },
}
# And how it differs in a world of whole pixels: the preset gpu as the weights in pretrained/pixel do, and the others in
# that walls are blurred there by what frames hide, and what helps to learn sharp ones is in the way.
WHOLE_PIXELS: dict[str, dict[str, Any]] = {
    "smoke": {"world_model.depth": 1},
    "laptop": {"world_model.depth": 1},
    "gpu": {"world_model.memory": 3, "world_model.refinements": 6},
}
SEEDS = ("data.seed", "world_model_training.seed", "policy_training.seed")  # what a run's seed sets
FOLLOWING = {"world_model.size": "world.size", "world_model.frames": "world.frames"}
LARGEST = 2**53  # up to here JSON, and a spec that holds every number as a double, carry integers unharmed

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple[int, ...]: "a list of whole numbers",
}
Config = TypeVar("Config")


@dataclass(frozen=True)
class Configuration:
    """Everything that a run depends on.

    Raises:
        ValueError: two parts do not go together.
    """

    preset: str = "laptop"
    seed: int = 0
    world: World = field(default_factory=World)
    data: DataConfig = field(default_factory=DataConfig)
    world_model: WorldModelConfig = field(default_factory=WorldModelConfig)
    world_model_training: WorldModelTraining = field(default_factory=WorldModelTraining)
    check: CheckConfig = field(default_factory=CheckConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    policy_training: PolicyTraining = field(default_factory=PolicyTraining)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self):
        memory, horizons = self.world_model.memory, self.world_model_training.horizons
        least = memory + max(horizons) - 1
        if self.data.timesteps < least:
            raise ValueError(
                f"data.timesteps must be at least {least} for world_model.memory {memory} and "
                f"world_model_training.horizons {list(horizons)}, got {self.data.timesteps}"
            )
        if self.policy_training.shift >= self.world.size:
            raise ValueError(
                f"policy_training.shift must be below world.size, {self.world.size}, or targets leave the frame, got "
                f"{self.policy_training.shift}"
            )
        batch = self.world_model_training.dynamics_batch
        if self.world_model.refinements and batch % 2:
            raise ValueError(
                "world_model_training.dynamics_batch must be even for world_model.refinements, which learn from half "
                f"of it, got {batch}"
            )


def settings() -> list[str]:
    """The names of all that an override can set, as in "policy_training.steps"."""
    parts = {part: kind for part, kind in get_type_hints(Configuration).items() if is_dataclass(kind)}
    names = [f"{part}.{setting.name}" for part, kind in parts.items() for setting in fields(kind)]
    return [name for name in names if name not in FOLLOWING]


def resolve(preset: str, seed: int, overrides: Mapping[str, Any]) -> Configuration:
    """The configuration of a run: the preset's, with the seed in every stage, and then the overrides by name.

    Raises:
        ValueError: one sentence: a preset or a setting that does not exist, with the nearest that does, or a value of
            another type or out of its range.
    """
    if preset not in PRESETS:
        raise ValueError(
            f"there is no preset {preset!r}, the nearest of {', '.join(PRESETS)} is {nearest(preset, PRESETS)!r}"
        )
    values: dict[str, Any] = {**asdict(Configuration()), "preset": preset, "seed": seed}
    known = settings()
    pixels = WHOLE_PIXELS.get(preset, {}) if overrides.get("world.raster") == "pixel" else {}
    for name, value in {**PRESETS[preset], **pixels, **dict.fromkeys(SEEDS, seed), **overrides}.items():
        if name in ("preset", "seed"):
            raise ValueError(f"{name} is not set with the settings: it has an option of its own, --{name}")
        if name in FOLLOWING:
            raise ValueError(f"{name} follows {FOLLOWING[name]} and cannot be set on its own")
        if name not in known:
            raise ValueError(f"there is no setting {name!r}, the nearest is {nearest(name, known)!r}")
        part, setting = name.split(".")
        values[part][setting] = value
    for name, source in FOLLOWING.items():
        values["world_model"][name.partition(".")[2]] = values["world"][source.partition(".")[2]]
    return from_dict(Configuration, values)


def from_dict(config: type[Config], values: Mapping[str, Any], prefix: str = "") -> Config:
    """The dataclass that `dataclasses.asdict` made `values` of, also after a way through JSON or a compiled spec.

    Raises:
        ValueError: one sentence, which names the field after `prefix`.
    """
    types = get_type_hints(config)
    if types.keys() != values.keys():
        raise ValueError(f"{config.__name__} is made of {', '.join(types)}, got {', '.join(values) or 'nothing'}")
    arguments = {
        name: from_dict(kind, values[name], f"{prefix}{name}.")
        if is_dataclass(kind) and isinstance(kind, type)
        else _cast(values[name], kind, prefix + name)
        for name, kind in types.items()
    }
    try:
        return config(**arguments)
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from None


def nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """The known name most like `name`, in full or after its dot."""

    def likeness(candidate: str) -> float:
        last = candidate.rpartition(".")[2]
        return max(SequenceMatcher(None, name, other).ratio() for other in (candidate, last))

    return max(known, key=likeness)


def _cast(value: Any, kind: Any, name: str) -> Any:
    """`value` as `kind`. Whole floats are integers and lists tuples, for JSON and specs don't tell them apart."""
    if kind == tuple[int, ...] and isinstance(value, list | tuple):
        return tuple(_cast(item, int, f"each of {name}") for item in value)
    is_number = type(value) in (int, float) and abs(value) <= LARGEST  # which NaN is not, and a bool neither
    if kind is float and is_number:
        return float(value)
    if kind is int and is_number and value == math.floor(value):
        return int(value)
    if kind in (str, bool) and isinstance(value, kind):
        return value
    limit = " of at most 2**53" if kind is int and type(value) is int else ""
    raise ValueError(f"{name} must be {_WORDS[kind]}{limit}, got {value!r:.80}")
