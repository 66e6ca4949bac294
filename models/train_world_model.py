"""How the world model learns: an autoencoder of observations, the dynamics of its latents, and the decoder again.

The dynamics see no pixels: they train on sequences of latents, at a tenth of the cost a step, and dream truer and
longer than those of a joint training (`docs/learning.md`). What a dream is unsure of lies between the latents that the
decoder was made for; so it learns at last, by itself, to show what was dreamed.
"""

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.config import WorldModelConfig, WorldModelTraining
from models.core import DreamState
from models.dataset import Dataset, in_chunks, random_timesteps
from models.draws import generator
from models.endless import Endless
from models.look_at_dreams import look_at_dreams
from models.losses import expectation_loss, frame_loss, latent_loss
from models.phase import Batch, Figures, Phase, going_on
from models.process import device_here
from models.training import train
from models.world_model import WorldModel

LEVEL = 0.75  # power to which the standard deviations of latents are raised; at 0 all would be alike


def train_world_model(
    config: WorldModelConfig,
    training: WorldModelTraining,
    dataset: Dataset,
    folder: Path,
    *,
    endless: Endless | None = None,
    start: WorldModel | None = None,
    inputs: dict[str, Any] | None = None,
    **options: Any,
) -> WorldModel:
    """A world model trained on a dataset; `folder` and `options` as in `models.training.train`.

    Args:
        endless: what the dynamics learn from instead of the dataset, each batch from other episodes.
        start: weights of the same architecture to begin from, instead of random ones.
        inputs: what tells this dataset, start and code from others, as JSON: part of the checkpoint's identity.

    Raises:
        ValueError: the dataset or what is endless is of another world, or episodes are too short for the horizons.
    """
    dataset.check(config)
    if endless and endless.world != dataset.world:
        raise ValueError(f"the dataset is of {dataset.world}, what follows on it of {endless.world}")
    longest = config.memory + max(training.horizons)
    if dataset.timesteps < longest:
        raise ValueError(
            f"episodes must be at least {longest} timesteps long for memory {config.memory} and horizon "
            f"{max(training.horizons)}, the dataset's have {dataset.timesteps}"
        )
    device = device_here()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        model = WorldModel(config).to(device)
    dataset = dataset.on(device)
    phases = [
        autoencoder_phase(model, training, dataset),
        dynamics_phase(model, training, dataset, endless),
        decoder_phase(model, training, dataset),
    ]
    if start is not None:
        phases = going_on(start, model, phases)
    identity = {"world_model": asdict(config), "training": asdict(training), **(inputs or {})}
    identity |= {"endless": asdict(endless)} if endless else {}
    train(model, phases, folder, identity, **options)
    return model.cpu().eval().requires_grad_(False)


def autoencoder_phase(model: WorldModel, training: WorldModelTraining, dataset: Dataset) -> Phase:
    """Encoder and decoder on single observations."""

    def begin() -> nn.Module:
        return nn.ModuleList([model.encoder, model.decoder])

    def draw(step: int) -> Batch:
        random = generator(training.seed, "autoencoder", step)
        return Batch((), random_timesteps(dataset, random, training.autoencoder_batch))

    def loss(batch: Batch) -> tuple[Tensor, Figures]:
        frames = dataset.observations(*batch.rows)
        return frame_loss(model.decoder(model.encoder(frames)), frames), {}

    steps, batch, rate = training.autoencoder_steps, training.autoencoder_batch, training.autoencoder_rate
    return Phase("autoencoder", steps, batch, rate, training.average, begin, draw, loss)


def dynamics_phase(
    model: WorldModel, training: WorldModelTraining, dataset: Dataset, endless: Endless | None = None
) -> Phase:
    """The recurrent core on sequences of latents: filter up to `memory` of them, then dream the horizon.

    Whole pixels do not tell where in them the block is, nor do few of them how fast: what can be known of that depends
    on what is usual, and at the start of an episode that is another thing than later. There a dream mostly begins that
    is looked at, so that half of the sequences of whole pixels do.

    Refinements learn only where all is seen that is remembered, which every other sequence of a batch is for them, so
    that they have a gradient in each step. The others have the context that was drawn.

    Endless episodes are simulated and rendered by the processor as they are drawn, and encoded where the weights are.
    """
    hidden, memory, refined = dataset.world.raster == "pixel", model.config.memory, model.config.refinements > 0
    latents = torch.empty(0)

    def stretches(length: int, *rows: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and forces of what was drawn."""
        if endless:
            frames, forces = (row[:, :length] for row in rows)
            return encode_chunks(model, in_chunks(frames)), forces
        episodes, first = rows
        where = windows(episodes, first, length)
        return latents[where], dataset.forces[where]

    def filtered(context: int, horizon: int, *rows: Tensor) -> tuple[DreamState, Tensor, Tensor]:
        """The state after a context, the forces of the horizon, and the latents from the context's last on."""
        seen, forces = stretches(context + horizon, *rows)
        return model.filter(seen[:, :context], forces[:, :context]), forces[:, context:], seen[:, context - 1 :]

    def begin() -> nn.Module:
        nonlocal latents
        latents = encode_dataset(model, dataset)
        if (model.latent_scale == 1).all():  # else they are standardised, and the core is used to how
            scale, mean = torch.std_mean(latents @ level_latents(model, latents).T, dim=(0, 1))
            model.latent_mean.copy_(mean)
            model.latent_scale.copy_(scale.clamp_min(1e-6))
            latents = encode_dataset(model, dataset)  # to the last bit what one that resumes here will find
        return model.core

    def draw(step: int) -> Batch:
        random = generator(training.seed, "dynamics", step)
        context = int(random.integers(1, memory + 1))
        horizon = horizon_at(step / training.dynamics_steps, training.horizons)
        length, batch = (memory if refined else context) + horizon, training.dynamics_batch
        limits = dataset.episodes, dataset.timesteps - length + 1
        episodes, first = (random.integers(limit, size=batch) for limit in limits)
        if hidden:
            first[: len(first) // 2] = 0
        rows = endless.stretches(step * batch, first, length) if endless else (episodes, first)
        return Batch((context, horizon), tuple(map(torch.from_numpy, rows)))

    def loss(batch: Batch) -> tuple[Tensor, Figures]:
        (context, horizon), rows = batch
        parts = [(context, rows)]
        if refined:
            parts = [(seen, tuple(row[i::2] for row in rows)) for i, seen in enumerate((context, memory))]
        states, forces, truths = zip(*(filtered(seen, horizon, *some) for seen, some in parts), strict=True)
        state, truth = DreamState(*map(torch.cat, zip(*states, strict=True))), torch.cat(truths)
        imagined, _ = model.dream(state, torch.cat(forces))
        dreamed = torch.cat([model.core.latent(state)[:, None], imagined], 1)
        if hidden:
            return expectation_loss(dreamed, truth), {}
        return latent_loss(dreamed, truth, training.delta, training.lost), {}

    steps, batch, rate = training.dynamics_steps, training.dynamics_batch, training.dynamics_rate
    look = partial(look_at_dreams, model, dataset.world, training.seed)
    return Phase("dynamics", steps, batch, rate, training.average, begin, draw, loss, look)


@torch.no_grad()
def level_latents(
    model: WorldModel, latents: Float[Tensor, "episodes timesteps latent"]
) -> Float[Tensor, "latent latent"]:
    """Bring nearer to each other how much the principal components of latents vary, and what was encoded is decoded
    as before. Returns the matrix by which they changed.

    The dynamics are judged in latents, which vary a hundred times as much along the position as along the least of what
    tells the motion apart. Dreams are truer where it is thirty times: a standard deviation to the power of 3/4.
    """
    variance, axes = torch.linalg.eigh(torch.atleast_2d(torch.cov(latents.flatten(0, 1).T.double())))
    stretch = variance.clamp_min(1e-6 * variance.max()) ** ((LEVEL - 1) / 2)
    there, back = ((axes * by @ axes.T).to(latents.dtype) for by in (stretch, 1 / stretch))
    linear = model.encoder.linear
    linear.weight.copy_(there @ linear.weight)
    linear.bias.copy_(there @ linear.bias)
    for axis in model.decoder.axes:
        weight = cast(nn.Linear, axis.from_latent).weight
        weight.copy_(weight @ back)
    return there


def decoder_phase(model: WorldModel, training: WorldModelTraining, dataset: Dataset) -> Phase:
    """The decoder alone on what is dreamed, against the frames that came true."""
    batch, horizon = training.autoencoder_batch, training.horizons[1]
    latents = torch.empty(0)

    def begin() -> nn.Module:
        nonlocal latents
        latents = encode_dataset(model, dataset)
        return model.decoder

    def draw(step: int) -> Batch:
        random = generator(training.seed, "decoder", step)
        context = int(random.integers(1, model.config.memory + 1))
        limits = dataset.episodes, dataset.timesteps - context - horizon + 1, horizon
        return Batch((context,), tuple(torch.from_numpy(random.integers(limit, size=batch)) for limit in limits))

    def loss(drawn: Batch) -> tuple[Tensor, Figures]:
        (context,), (episodes, first, ahead) = drawn
        where = windows(episodes, first, context + horizon)
        forces = dataset.forces[where]
        with torch.no_grad():
            state = model.filter(latents[where][:, :context], forces[:, :context])
            imagined, _ = model.dream(state, forces[:, context:])
            dreamed = imagined[torch.arange(len(ahead), device=ahead.device), ahead]
        frames = dataset.observations(episodes, first + context + ahead)
        return frame_loss(model.decode(dreamed), frames), {}

    steps, rate = training.decoder_steps, training.autoencoder_rate
    look = partial(look_at_dreams, model, dataset.world, training.seed)
    return Phase("decoder", steps, batch, rate, training.average, begin, draw, loss, look)


def horizon_at(progress: float, horizons: tuple[int, ...]) -> int:
    """Timesteps to dream after a share of the training: long dreams at a high learning rate only add chaotic noise."""
    return horizons[0 if progress < 0.1 else 1 if progress < 0.6 else 2]


def windows(
    episodes: Int[Tensor, " batch"], first: Int[Tensor, " batch"], length: int
) -> tuple[Int[Tensor, "batch 1"], Int[Tensor, "batch {length}"]]:
    """Where in a dataset's episodes and timesteps the stretches lie that begin at the timesteps `first`."""
    return episodes[:, None], first[:, None] + torch.arange(length, device=first.device)


def encode_dataset(model: WorldModel, dataset: Dataset) -> Float[Tensor, "episodes timesteps latent"]:
    """The latents of all observations."""
    return encode_chunks(model, dataset.chunks())


@torch.no_grad()
def encode_chunks(
    model: WorldModel, chunks: Iterable[Float[Tensor, "_ timesteps frames size size"]]
) -> Float[Tensor, "episodes timesteps latent"]:
    """The latents of observations, some episodes at a time, so that their frames stay small."""
    return torch.cat([model.encode(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]) for frames in chunks])
