"""How the policy learns: only from gradients that flow through the frozen model's dream, from anywhere to anywhere."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.config import PolicyConfig, PolicyTraining
from models.dataset import Dataset, random_timesteps
from models.draws import generator
from models.look_at_goals import look_at_goals
from models.losses import target_distance
from models.policy import Policy, encode_target
from models.train_world_model import encode_dataset
from models.training import Phase, going_on, train
from models.world_model import WorldModel


def train_policy(
    config: PolicyConfig,
    training: PolicyTraining,
    world_model: WorldModel,
    dataset: Dataset,
    folder: Path,
    *,
    start: Policy | None = None,
    inputs: dict[str, Any] | None = None,
    **options: Any,
) -> Policy:
    """A policy trained through a world model; `folder` and `options` as in `models.training.train`.

    The dataset gives frames alone: observations to begin a dream from, and targets.

    Args:
        start: weights of the same architecture to begin from, instead of random ones.
        inputs: what tells this world model, dataset, start and code from others, as JSON: part of the checkpoint's
            identity.

    Raises:
        ValueError: the dataset is of another world than the model.
    """
    dataset.check(world_model.config)
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        policy = Policy(config, world_model.config)
    phases = [policy_phase(policy, training, world_model, dataset)]
    if start is not None:
        phases = going_on(start, policy, phases)
    identity = {"policy": asdict(config), "training": asdict(training), **(inputs or {})}
    train(policy, phases, folder, identity, **options)
    return policy.eval().requires_grad_(False)


def policy_phase(policy: Policy, training: PolicyTraining, world_model: WorldModel, dataset: Dataset) -> Phase:
    """Dreams from random observations to random targets, scored by how far they are from the target all along.

    Where a dream starts, the policy has often been at work for some timesteps, without a gradient, and the state is
    filtered anew from what was dreamed: so it learns to stay, from states such as it is given when it steers, which
    differ a little from imagined ones. Targets are shifted, as images are in DrQ (https://arxiv.org/abs/2004.13649):
    blocks that a wall cuts are the only ones of another shape that it ever sees.
    """
    memory = world_model.config.memory
    latents = torch.empty(0)

    def begin() -> nn.Module:
        nonlocal latents
        latents = encode_dataset(world_model, dataset)
        return policy

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        draw = generator(training.seed, "policy", step)
        targets = dataset.observations(*random_timesteps(dataset, draw, training.batch))[:, -1]
        targets = shifted(targets, draw.integers(-training.shift, training.shift + 1, size=(training.batch, 2)))
        context = int(draw.integers(1, memory + 1))
        episodes = draw.integers(dataset.episodes, size=training.batch)[:, None]
        window = draw.integers(dataset.timesteps - context + 1, size=training.batch)[:, None] + np.arange(context)
        seen, forces = latents[episodes, window], dataset.forces[episodes, window]
        with torch.no_grad():
            target = encode_target(world_model, targets)
            state = world_model.filter(seen, forces)
            for _ in range(int(draw.integers(training.lead + 1))):
                forces = torch.cat([forces, policy(state, target, forces[:, -1])[:, None]], 1)
                state = world_model.core.imagine(state, forces[:, -1])
                seen = torch.cat([seen, world_model.core.latent(state)[:, None]], 1)
            state = world_model.filter(seen, forces)
        imagined, force = [], forces[:, -1]
        for _ in range(training.horizon):
            force = policy(state, target, force)
            state = world_model.core.imagine(state, force)
            imagined.append(world_model.core.latent(state))
        frames = torch.sigmoid(world_model.decode(torch.stack(imagined, 1)))
        distance = target_distance(frames, targets[:, None, None])
        return distance.mean(), {"final_distance": distance[:, -1, -1].detach().mean()}

    look = partial(look_at_goals, world_model, policy, dataset.world, training.seed)
    return Phase("policy", training.steps, training.batch, training.rate, training.average, begin, loss, look)


def shifted(
    images: Float[Tensor, "batch size size"], offsets: Int[np.ndarray, "batch 2"]
) -> Float[Tensor, "batch size size"]:
    """Images moved by whole pixels, each by an offset (rows, columns) of its own; what leaves the image is lost."""
    batch, size, _ = images.shape
    reach = int(np.abs(offsets).max(initial=0))
    padded = F.pad(images, [reach] * 4)
    rows, columns = (np.arange(size) + reach - offset[:, None] for offset in offsets.T)
    return padded[np.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]]
