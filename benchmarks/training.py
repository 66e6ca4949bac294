"""Trainings on one core, beside the matrix products and convolutions that they consist of, on ready tensors."""

import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.measure import Row, paired
from components.configuration import resolve
from models.dataset import Dataset, write_shard
from models.encoder import SMALL, Encoder
from models.muon import due
from models.phase import Phase
from models.policy import Policy
from models.process import prepare
from models.steps import Steps
from models.train_policy import policy_phase
from models.train_world_model import autoencoder_phase, dynamics_phase
from models.world_model import WorldModel
from sim_core.episodes import random_episodes
from sim_core.world import World

EPISODES = 1024
STEPS = 12  # of a timing: of every context, horizon and lead some
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "linear", "convolution", "convolution_backward", "mkldnn_rnn_layer"}


def rows() -> Iterator[Row]:
    """The phases of the preset laptop: a whole step, from the draw to the averaged weights, over its products alone."""
    prepare()  # one thread, whose time is what is measured
    with TemporaryDirectory() as scratch:
        for name, phase in phases(Path(scratch)):
            yield beside_products(f"{name}, one core", phase, products_of)
            if phase.name == "autoencoder":
                yield beside_products("the same, with the encoder's maps in its limit", phase, products_with_maps)


def beside_products(name: str, phase: Phase, record: Callable[[Phase, int], list[Callable[[], Any]]]) -> Row:
    steps = Steps(phase)
    # The middles of as many parts, or the step after where preconditioners are renewed, as in a fiftieth of steps.
    middles = [phase.steps * (2 * i + 1) // (2 * STEPS) for i in range(STEPS)]
    chosen = [step + due(step) for step in middles]
    products = [product for step in chosen for product in record(phase, step)]
    timed = paired(lambda: take(steps, chosen), lambda: run(products), clock=time.thread_time)
    mine, theirs = timed.measured / STEPS, timed.limit / STEPS
    return Row(
        name,
        f"{mine * 1e3:.1f} ms a step, {phase.batch / mine:,.0f} samples/CPU-s",
        f"{len(products) / STEPS:.0f} matrix products and convolutions a step, alone: {theirs * 1e3:.1f} ms",
        timed.share,
        must=0.7,
        aim=0.9,
    )


def phases(scratch: Path) -> Iterator[tuple[str, Phase]]:
    world, config = World(), resolve("laptop", 0, {})
    write_shard(scratch, [random_episodes("training", range(EPISODES), config.data.timesteps, world)], world)
    dataset = Dataset([scratch])
    torch.manual_seed(0)
    model = WorldModel(config.world_model)
    yield "world model, autoencoder", autoencoder_phase(model, config.world_model_training, dataset)
    yield "world model, dynamics", dynamics_phase(model, config.world_model_training, dataset)
    frozen = copy.deepcopy(model).requires_grad_(False)
    policy = Policy(config.policy, config.world_model)
    yield "policy", policy_phase(policy, config.policy_training, frozen, dataset)


def take(steps: Steps, chosen: list[int]) -> None:
    for step in chosen:
        steps.take(step)


def run(products: list[Callable[[], Any]]) -> None:
    with torch.no_grad():
        for product in products:
            product()


class Recorder(TorchDispatchMode):
    """Notes each matrix product and convolution, forward and backward, with what it was given."""

    def __init__(self):
        super().__init__()
        self.products: list[Callable[[], Any]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ in PRODUCTS:
            ready = [one.detach().clone() if isinstance(one, Tensor) else one for one in args]
            self.products.append(lambda: func(*ready, **kwargs))
        return func(*args, **kwargs)


def products_of(phase: Phase, step: int) -> list[Callable[[], Any]]:
    """The products of a step's loss and of its gradient, to be run again."""
    with Recorder() as recorder:
        loss, _ = phase.loss(phase.draw(step))
        loss.backward()
    return recorder.products


def products_with_maps(phase: Phase, step: int) -> list[Callable[[], Any]]:
    """The same of a step whose encoder makes its maps."""
    with patch.object(Encoder, "forward", encode_by_maps):
        return products_of(phase, step)


def encode_by_maps(encoder: Encoder, observation: Tensor) -> Tensor:
    """What `Encoder` computes, as it would be written down without a thought of what that costs."""
    maps = F.conv2d(observation, encoder.convolution.weight.abs(), padding=encoder.convolution.padding)
    half = maps.shape[-1] / observation.shape[-1]
    coordinates = torch.linspace(-half, half, maps.shape[-1])
    mass = maps.sum((-1, -2)) + SMALL
    return encoder.linear(torch.cat([maps.sum(-2) @ coordinates / mass, maps.sum(-1) @ coordinates / mass], 1))
