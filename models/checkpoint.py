"""Weights and trainings on disk: safetensors and JSON, read back only where they fit. Nothing in a file is executed."""

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
from torch import Tensor, nn

from models.config import PolicyConfig, WorldModelConfig
from models.policy import Policy
from models.world_model import WorldModel
from sim_core.world import World

FORMAT = 1  # rises when the files change their meaning; a newer one is refused
WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"
Module = TypeVar("Module", bound=nn.Module)


def save_world_model(folder: Path, model: WorldModel, world: World) -> None:
    """Write the weights, their architecture and the world that they dream of into an existing folder."""
    _save(folder, model, {"world_model": dataclasses.asdict(model.config), "world": dataclasses.asdict(world)})


def save_policy(folder: Path, policy: Policy, world_model: WorldModelConfig) -> None:
    """Write the weights, and the architecture of the world model that they belong to, into an existing folder."""
    _save(folder, policy, {"policy": dataclasses.asdict(policy.config), "world_model": dataclasses.asdict(world_model)})


def load_world_model(folder: Path) -> WorldModel:
    """The world model in a folder, frozen.

    Raises:
        ValueError: the folder holds no world model, one of a newer format, or weights that do not fit.
    """
    return _load(folder, WorldModel(_config(folder, "world_model", WorldModelConfig)))


def load_world(folder: Path) -> World:
    """The world that the world model in a folder dreams of; errors as `load_world_model`."""
    return _config(folder, "world", World)


def load_policy(folder: Path, world_model: WorldModelConfig) -> Policy:
    """The policy in a folder, frozen. `world_model` is the architecture that it shall act with.

    Raises:
        ValueError: as `load_world_model`, or the policy belongs to a world model of another architecture.
    """
    theirs = _config(folder, "world_model", WorldModelConfig)
    for name, ours in dataclasses.asdict(world_model).items():
        if getattr(theirs, name) != ours:
            raise ValueError(
                f"the policy in {folder} belongs to a world model with {name} {getattr(theirs, name)}, "
                f"but this world model has {name} {ours}"
            )
    return _load(folder, Policy(_config(folder, "policy", PolicyConfig), world_model))


def save_training(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write a training's state as one file, which is replaced when the new one is whole."""
    incoming = path.with_suffix(".incoming")
    safetensors.torch.save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        incoming,
        metadata={"facts": json.dumps({"format": FORMAT, **facts})},
    )
    incoming.replace(path)


def load_training(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_training` wrote.

    Raises:
        ValueError: the file is damaged, is no training, or has a newer format.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is not the state of a training: {error}") from error
    _check_format(path, facts)
    return tensors, facts


def _save(folder: Path, module: nn.Module, configs: dict[str, Any]) -> None:
    safetensors.torch.save_file(module.state_dict(), folder / WEIGHTS)
    (folder / DESCRIPTION).write_text(json.dumps({"format": FORMAT, **configs}, indent=1))


def _load(folder: Path, module: Module) -> Module:
    try:
        weights = safetensors.torch.load_file(folder / WEIGHTS)
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{folder / WEIGHTS} cannot be read: {error}") from error
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(
                f"{folder / WEIGHTS} are weights of another architecture: "
                f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'nothing of that name')}"
            )
        if not weights[name].isfinite().all():
            raise ValueError(f"{folder / WEIGHTS} cannot be used: {name} holds numbers that are not finite")
    module.load_state_dict(weights)
    return module.eval().requires_grad_(False)


def _config(folder: Path, kind: str, config: type) -> Any:
    path, name = folder / DESCRIPTION, kind.replace("_", " ")
    try:
        description = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"there is no {name} in {folder}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path} does not describe a {name}: {error}") from error
    _check_format(path, description)
    try:
        return config(**description[kind])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not describe a {name}: {error}") from error


def _check_format(path: Path, facts: Any) -> None:
    found = facts.get("format") if isinstance(facts, dict) else None
    if not isinstance(found, int):
        raise ValueError(f"{path} names no format")
    if found > FORMAT:
        raise ValueError(f"{path} has format {found}, newer than the {FORMAT} that this version reads")
