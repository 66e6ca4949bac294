"""How the policy learns: only from gradients that flow through the frozen model's dream, from anywhere to anywhere."""

import copy
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.config import PolicyConfig, PolicyTraining
from models.dataset import Dataset, random_timesteps
from models.draws import generator
from models.fused_core import fused
from models.inner_eye import InnerEye
from models.look_at_goals import look_at_goals
from models.losses import target_distance
from models.phase import Batch, Figures, Phase, going_on
from models.policy import Policy, encode_target
from models.process import device_here
from models.train_world_model import encode_dataset, windows
from models.training import train
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
    device = device_here()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        policy = Policy(config, world_model.config).to(device)
    phases = [policy_phase(policy, training, copy.deepcopy(world_model).to(device), dataset.on(device))]
    if start is not None:
        phases = going_on(start, policy, phases)
    identity = {"policy": asdict(config), "training": asdict(training), **(inputs or {})}
    train(policy, phases, folder, identity, **options)
    return policy.cpu().eval().requires_grad_(False)


def policy_phase(policy: Policy, training: PolicyTraining, world_model: WorldModel, dataset: Dataset) -> Phase:
    """Dreams from random observations to random targets, scored by how far they are from the target all along.

    Of each timestep the last frame is scored, by where its latent says that it would be seen: decoded, a step would
    cost half as much again, for a policy that is hardly better. Where a dream starts, the policy has often been at work
    for some timesteps, without a gradient, and the state is filtered anew from what was dreamed: so it learns to stay,
    from states such as it is given when it steers, which differ a little from imagined ones. What is imagined of whole
    pixels is a mean that no frame looks like, of which a filter makes what it likes: so it is given that in black and
    white. Targets are shifted, as images are in DrQ (https://arxiv.org/abs/2004.13649): blocks that a wall cuts are the
    only ones of another shape that it ever sees.
    """
    memory, whole_pixels = world_model.config.memory, dataset.world.raster == "pixel"
    some = islice(dataset.chunks(), 4)  # one would do, but a shard may be small
    eye, latents = InnerEye(world_model, torch.cat([chunk.flatten(0, 1) for chunk in some])), torch.empty(0)

    def begin() -> nn.Module:
        nonlocal latents
        latents = encode_dataset(world_model, dataset)
        return policy

    def draw(step: int) -> Batch:
        random = generator(training.seed, "policy", step)
        targets = random_timesteps(dataset, random, training.batch)
        shifts = random.integers(-training.shift, training.shift + 1, size=(training.batch, 2))
        context = int(random.integers(1, memory + 1))
        episodes = random.integers(dataset.episodes, size=training.batch)
        first = random.integers(dataset.timesteps - context + 1, size=training.batch)
        lead = int(random.integers(training.lead + 1))
        return Batch((context, lead), (*targets, *map(torch.from_numpy, (shifts, episodes, first))))

    def loss(batch: Batch) -> tuple[Tensor, Figures]:
        (context, lead), (target_episodes, target_timesteps, shifts, episodes, first) = batch
        targets = dataset.observations(target_episodes, target_timesteps)[:, -1]
        targets = shifted(targets, shifts, training.shift)
        where = windows(episodes, first, context)
        seen, forces, core = latents[where], dataset.forces[where], fused(world_model.core)
        with torch.no_grad():
            target = encode_target(world_model, targets)
            state = world_model.filter(seen, forces)
            for _ in range(lead):
                forces = torch.cat([forces, policy(state, target, forces[:, -1])[:, None]], 1)
                state = core.imagine(state, forces[:, -1])
                latent = world_model.core.latent(state)
                latent = encode_black_and_white(world_model, latent) if whole_pixels else latent
                seen = torch.cat([seen, latent[:, None]], 1)
            state = world_model.filter(seen, forces)
        imagined, force = [], forces[:, -1]
        for _ in range(training.horizon):
            force = policy(state, target, force)
            state = core.imagine(state, force)
            imagined.append(state.path)
        seen = world_model.core.read(torch.stack(imagined, 1))
        distance = target_distance(eye(seen), eye(target)[:, None])
        return distance.mean(), {"final_distance": distance[:, -1].detach().mean()}

    look = partial(look_at_goals, world_model, policy, dataset.world, training.seed)
    return Phase("policy", training.steps, training.batch, training.rate, training.average, begin, draw, loss, look)


def encode_black_and_white(
    world_model: WorldModel, latent: Float[Tensor, "batch latent"]
) -> Float[Tensor, "batch latent"]:
    """The latents of observations in which each pixel is what a latent says that it is more likely to be, 0 or 1."""
    return world_model.encode((world_model.decode(latent) > 0).float())


def shifted(
    images: Float[Tensor, "batch size size"], offsets: Int[Tensor, "batch 2"], reach: int
) -> Float[Tensor, "batch size size"]:
    """Images moved by whole pixels, each by an offset (rows, columns) of its own of at most `reach`.

    What leaves the image is lost.
    """
    batch, size, _ = images.shape
    views = F.pad(images, [reach] * 4).unfold(1, size, 1).unfold(2, size, 1)
    rows, columns = (reach - offset for offset in offsets.unbind(1))
    return views[torch.arange(batch, device=images.device), rows, columns]
