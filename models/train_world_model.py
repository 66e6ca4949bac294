"""How the world model learns: an autoencoder of observations, the dynamics of its latents, and the decoder again.

The dynamics see no pixels: they train on sequences of latents, at a tenth of the cost a step, and dream truer and
longer than those of a joint training (`docs/learning.md`). What a dream is unsure of lies between the latents that the
decoder was made for; so it learns at last, by itself, to show what was dreamed.
"""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig, WorldModelTraining
from models.dataset import Dataset, random_timesteps
from models.draws import generator
from models.look_at_dreams import look_at_dreams
from models.losses import frame_loss, latent_loss
from models.training import Phase, going_on, train
from models.world_model import WorldModel


def train_world_model(
    config: WorldModelConfig,
    training: WorldModelTraining,
    dataset: Dataset,
    folder: Path,
    *,
    start: WorldModel | None = None,
    inputs: dict[str, Any] | None = None,
    **options: Any,
) -> WorldModel:
    """A world model trained on a dataset; `folder` and `options` as in `models.training.train`.

    Args:
        start: weights of the same architecture to begin from, instead of random ones.
        inputs: what tells this dataset, start and code from others, as JSON: part of the checkpoint's identity.

    Raises:
        ValueError: the dataset is of another world, or its episodes are too short for the horizons.
    """
    dataset.check(config)
    longest = config.memory + max(training.horizons)
    if dataset.timesteps < longest:
        raise ValueError(
            f"episodes must be at least {longest} timesteps long for memory {config.memory} and horizon "
            f"{max(training.horizons)}, the dataset's have {dataset.timesteps}"
        )
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        model = WorldModel(config)
    phases = [make(model, training, dataset) for make in (autoencoder_phase, dynamics_phase, decoder_phase)]
    if start is not None:
        phases = going_on(start, model, phases)
    identity = {"world_model": asdict(config), "training": asdict(training), **(inputs or {})}
    train(model, phases, folder, identity, **options)
    return model.eval().requires_grad_(False)


def autoencoder_phase(model: WorldModel, training: WorldModelTraining, dataset: Dataset) -> Phase:
    """Encoder and decoder on single observations."""

    def begin() -> nn.Module:
        return nn.ModuleList([model.encoder, model.decoder])

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        draw = generator(training.seed, "autoencoder", step)
        frames = dataset.observations(*random_timesteps(dataset, draw, training.autoencoder_batch))
        return frame_loss(model.decoder(model.encoder(frames)), frames), {}

    steps, batch, rate = training.autoencoder_steps, training.autoencoder_batch, training.autoencoder_rate
    return Phase("autoencoder", steps, batch, rate, training.average, begin, loss)


def dynamics_phase(model: WorldModel, training: WorldModelTraining, dataset: Dataset) -> Phase:
    """The recurrent core on sequences of latents: filter up to `memory` of them, then dream the horizon."""
    latents = torch.empty(0)

    def begin() -> nn.Module:
        nonlocal latents
        model.latent_mean.zero_()
        model.latent_scale.fill_(1)
        latents = encode_dataset(model, dataset)
        scale, mean = torch.std_mean(latents, dim=(0, 1))
        model.latent_mean.copy_(mean)
        model.latent_scale.copy_(scale.clamp_min(1e-6))
        latents = (latents - model.latent_mean) / model.latent_scale
        return model.core

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        draw = generator(training.seed, "dynamics", step)
        context = int(draw.integers(1, model.config.memory + 1))
        length = context + horizon_at(step / training.dynamics_steps, training.horizons)
        episodes = draw.integers(dataset.episodes, size=training.dynamics_batch)[:, None]
        window = draw.integers(dataset.timesteps - length + 1, size=training.dynamics_batch)[:, None] + range(length)
        seen, forces = latents[episodes, window], dataset.forces[episodes, window]
        state = model.filter(seen[:, :context], forces[:, :context])
        imagined, _ = model.dream(state, forces[:, context:])
        filtered = model.core.latent(state)[:, None]
        dreamed, truth = torch.cat([filtered, imagined], 1), seen[:, context - 1 :]
        return latent_loss(dreamed, truth, training.delta, training.square), {}

    steps, batch, rate = training.dynamics_steps, training.dynamics_batch, training.dynamics_rate
    look = partial(look_at_dreams, model, dataset.world, training.seed)
    return Phase("dynamics", steps, batch, rate, training.average, begin, loss, look)


def decoder_phase(model: WorldModel, training: WorldModelTraining, dataset: Dataset) -> Phase:
    """The decoder alone on what is dreamed, against the frames that came true."""
    batch, horizon = training.autoencoder_batch, training.horizons[1]
    latents = torch.empty(0)

    def begin() -> nn.Module:
        nonlocal latents
        latents = encode_dataset(model, dataset)
        return model.decoder

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        draw = generator(training.seed, "decoder", step)
        context = int(draw.integers(1, model.config.memory + 1))
        episodes = draw.integers(dataset.episodes, size=batch)
        first = draw.integers(dataset.timesteps - context - horizon + 1, size=batch)
        ahead = draw.integers(horizon, size=batch)
        window = first[:, None] + range(context + horizon)
        forces = dataset.forces[episodes[:, None], window]
        with torch.no_grad():
            state = model.filter(latents[episodes[:, None], window[:, :context]], forces[:, :context])
            imagined, _ = model.dream(state, forces[:, context:])
        frames = dataset.observations(episodes, first + context + ahead)
        return frame_loss(model.decode(imagined[range(batch), ahead]), frames), {}

    steps, rate = training.decoder_steps, training.autoencoder_rate
    look = partial(look_at_dreams, model, dataset.world, training.seed)
    return Phase("decoder", steps, batch, rate, training.average, begin, loss, look)


def horizon_at(progress: float, horizons: tuple[int, ...]) -> int:
    """Timesteps to dream after a share of the training: long dreams at a high learning rate only add chaotic noise."""
    return horizons[0 if progress < 0.1 else 1 if progress < 0.6 else 2]


@torch.no_grad()
def encode_dataset(model: WorldModel, dataset: Dataset) -> Float[Tensor, "episodes timesteps latent"]:
    """The latents of all observations."""
    return torch.cat([model.encode(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]) for frames in dataset.chunks()])
