"""Weights and trainings on disk: safetensors and JSON, read back only where they fit. Nothing in a file is executed."""

import dataclasses
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from models.config import WorldModelConfig
from models.world_model import WorldModel
from sim_core.world import World

INCOMING = ".incoming"  # ends the name of what is not whole yet
FORMAT = 1  # rises when the files change their meaning; a newer one is refused
# What files mean that are older than a setting: what there was then, and not what is its default today.
UNTOLD = {"world_model": {"depth": 1}}
WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"
Module = TypeVar("Module", bound=nn.Module)


def save_world_model(folder: Path, model: WorldModel, world: World) -> None:
    """Write the weights, their architecture and the world that they dream of into an existing folder."""
    save(folder, model, {"world_model": dataclasses.asdict(model.config), "world": dataclasses.asdict(world)})


def load_world_model(folder: Path) -> WorldModel:
    """The world model in a folder, frozen.

    Raises:
        ValueError: the folder holds no world model, one of a newer format, or weights that do not fit.
    """
    config = described(folder, "world_model", WorldModelConfig)
    return load(folder, lambda: WorldModel(config))


def load_world(folder: Path) -> World:
    """The world that the world model in a folder dreams of; errors as `load_world_model`."""
    return described(folder, "world", World)


def save_training(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write a training's state as one file, which is replaced when the new one is whole and on the disk.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({"format": FORMAT, **facts})
    content = safetensors.torch.save(plain, metadata={"facts": f"{_crc32(text, plain)} {text}"})
    incoming = path.with_suffix(f".{os.getpid()}{INCOMING}")  # of its own, should another process save here too
    try:
        with incoming.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        incoming.replace(path)
    except OSError as error:
        incoming.unlink(missing_ok=True)
        raise OSError(f"the checkpoint {path} cannot be written: {error.strerror}") from error


def load_training(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_training` wrote.

    Raises:
        ValueError: the file is damaged, is no training, or has a newer format.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            checksum, _, text = (file.metadata() or {})["facts"].partition(" ")
            facts = json.loads(text)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, KeyError, ValueError, RecursionError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is not the state of a training: {error}") from error
    _check_format(path, facts)
    if checksum != str(_crc32(text, tensors)):
        raise ValueError(f"{path} is not the state of a training as it was written: its checksum is another")
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{path} cannot be used: {name} holds numbers that are not finite")
    return tensors, facts


def save(folder: Path, module: nn.Module, configs: dict[str, Any]) -> None:
    """Write a module's weights, and the configurations that describe it, into an existing folder."""
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(module.state_dict()))
    (folder / DESCRIPTION).write_text(json.dumps({"format": FORMAT, **configs}, indent=1))


def load(folder: Path, make: Callable[[], Module]) -> Module:
    """The module that `make` makes, with the weights in a folder, frozen. Raises a ValueError where they do not fit."""
    try:
        weights = safetensors.torch.load_file(folder / WEIGHTS)
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{folder / WEIGHTS} cannot be read: {error}") from error
    try:
        with torch.device("meta"):  # a module without memory, for the description may claim any size
            expected = {name: tuple(tensor.shape) for name, tensor in make().state_dict().items()}
    except (OverflowError, RuntimeError, TypeError) as error:
        raise ValueError(f"{folder / DESCRIPTION} describes no network: {str(error).splitlines()[0]}") from error
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(
                f"{folder / WEIGHTS} are weights of another architecture: "
                f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'nothing of that name')}"
            )
        if not weights[name].isfinite().all():
            raise ValueError(f"{folder / WEIGHTS} cannot be used: {name} holds numbers that are not finite")
    module = make()
    module.load_state_dict(weights)
    return module.eval().requires_grad_(False)


def described(folder: Path, kind: str, config: type) -> Any:
    """The configuration called `kind` of what lies in a folder. Raises a ValueError where there is none."""
    path, name = folder / DESCRIPTION, kind.replace("_", " ")
    try:
        description = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"there is no {name} in {folder}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} does not describe a {name}: {error}") from error
    _check_format(path, description)
    try:
        return config(**UNTOLD.get(kind, {}) | description[kind])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not describe a {name}: {error}") from error


def _check_format(path: Path, facts: Any) -> None:
    found = facts.get("format") if isinstance(facts, dict) else None
    if type(found) is not int:
        raise ValueError(f"{path} names no format")
    if found > FORMAT:
        raise ValueError(f"{path} has format {found}, newer than the {FORMAT} that this version reads")


def _crc32(text: str, tensors: dict[str, Tensor]) -> int:
    """A checksum of everything that the state of a training holds, which safetensors itself has none of."""
    checksum = zlib.crc32(text.encode())
    for name, tensor in sorted(tensors.items()):
        checksum = zlib.crc32(f"{name} {tensor.dtype} {list(tensor.shape)}".encode(), checksum)
        checksum = zlib.crc32(tensor.numpy().tobytes(), checksum)
    return checksum
