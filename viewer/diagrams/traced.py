"""The shapes of what flows through the networks, from a forward pass of the real ones."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.config import PolicyConfig, WorldModelConfig
from models.policy import Policy, encode_target
from models.world_model import WorldModel

Shape = tuple[int, ...]


class Traced(NamedTuple):
    """What goes into the modules, and comes out of them, by their names: shapes without the batch, of the first of
    several. And how many parameters they have."""

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    parameters: dict[str, int]


def trace() -> Traced:
    """The networks of the default configuration; names begin with "model" and "policy"."""
    config = WorldModelConfig()
    with torch.random.fork_rng():
        model = WorldModel(config)
        networks = nn.ModuleDict({"model": model, "policy": Policy(PolicyConfig(), config)})
    inputs: dict[str, Shape] = {}
    outputs: dict[str, Shape] = {}

    def note(name: str, given: tuple, returned: Tensor | tuple) -> None:
        inputs[name], outputs[name] = _shape(given[0]), _shape(returned)

    for name, module in networks.named_modules():
        module.register_forward_hook(lambda _, given, returned, name=name: note(name, given, returned))
    with torch.no_grad():
        image, force = torch.zeros(1, config.size, config.size), torch.zeros(1, 2)
        latent = model.encode(image[:, None].expand(-1, config.frames, -1, -1))
        state = model.filter(latent[:, None], force[:, None])
        state = model.core.imagine(state, force)
        model.decode(model.core.latent(state))
        networks["policy"](state, encode_target(model, image), force)
    parameters = {name: sum(p.numel() for p in module.parameters()) for name, module in networks.named_modules()}
    return Traced(inputs, outputs, parameters)


def _shape(tensor: Tensor | tuple) -> Shape:
    """Of a tensor or the first of several, without the batch, which is of one."""
    first = tensor if isinstance(tensor, Tensor) else tensor[0]
    return tuple(first.shape[1:] if first.shape[0] == 1 else first.shape)
