"""How true a dream stays: centroid error and overlap by horizon, beside copying the last frame and exact physics."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.eye import centroid
from models.precision import precision
from models.statistics import bootstrap_means, worst
from models.world_model import WorldModel
from sim_core.episodes import Episodes, random_episodes
from sim_core.raster import render, rendered_centre
from sim_core.world import World

SOLID = 0.5  # above it a pixel belongs to the block, for the overlap
# Episodes at a time, as many as stay near the processor: many to dream, which is latents only, fewer to encode, few to
# look at.
DREAMED, ENCODED, LOOKED_AT = 800, 200, 5


def dream_figures(
    model: WorldModel, world: World, which: str, count: int, context: int, horizon: int
) -> dict[str, Any]:
    """An entry of "dream" in `evaluation.json`: figures on the first `count` episodes of a set, by horizon.

    Errors are in px. An episode counts as free flight up to the horizon at which it meets a wall, and as wall contact
    from there on. What cannot be computed is None.
    """
    episodes = random_episodes(which, range(count), context + horizon - 1, world)
    error, shared = (each.mean(axis=2) for each in compare_dreams(model, episodes, context, world))
    touched = wall_contact(episodes, context)
    figures = {
        "mean": error,
        "iou": shared,
        "copy_last_px": copy_errors(episodes, context, world),
        "free_flight_px": np.where(touched, np.nan, error),
        "wall_contact_px": np.where(touched, error, np.nan),
    }
    means, intervals = bootstrap_means(np.concatenate(list(figures.values()), axis=1))
    mean = dict(zip(figures, means.reshape(-1, horizon), strict=True))
    return {
        "set": which,
        "context": context,
        "horizon": list(range(1, horizon + 1)),
        "centroid_error_px": {
            "mean": plain(mean["mean"]),
            "median": plain(np.median(error, axis=0)),
            "p95": plain(np.percentile(error, 95, axis=0)),
        },
        **{name: plain(values) for name, values in mean.items() if name != "mean"},
        "precision_px": plain(precision(mean["mean"], episodes, context, world)),
        "intervals": {
            name: [None if None in pair else pair for pair in plain(pairs)]
            for name, pairs in zip(figures, intervals.reshape(-1, horizon, 2), strict=True)
        },
        "worst": worst(error.mean(axis=1)),
    }


def dream_errors(
    model: WorldModel, world: World, which: str, count: int, context: int, horizon: int, seed: int = 0
) -> Float[np.ndarray, "episodes horizon"]:
    """Centroid errors (px) on the first `count` episodes of a set."""
    episodes = random_episodes(which, range(count), context + horizon - 1, world, seed)
    return compare_dreams(model, episodes, context, world)[0].mean(axis=2)


def dream_frames(
    model: WorldModel, world: World, which: str, indices: range, context: int, horizon: int, seed: int = 0
) -> tuple[Float[np.ndarray, "episodes time frame h w"], Float[np.ndarray, "episodes time frame h w"]]:
    """The truth and the dream of some episodes, `context + horizon` timesteps; of the context the dream is empty."""
    episodes = random_episodes(which, indices, context + horizon - 1, world, seed)
    truth = episodes.observations(world)
    dream = np.zeros_like(truth)
    dream[:, context:] = torch.sigmoid(dream_logits(model, truth[:, :context], episodes.forces)).numpy()
    return truth, dream


def compare_dreams(
    model: WorldModel, episodes: Episodes, context: int, world: World
) -> tuple[Float[np.ndarray, "episodes horizon frame"], Float[np.ndarray, "episodes horizon frame"]]:
    """Centroid error (px) and overlap of the dreams in each frame after the context."""
    centres = true_centres(episodes, context, world)
    errors, overlaps = np.empty((2, *centres.shape[:3]), np.float32)
    seen = [encoded(model, render(episodes.positions[part, :context], world)) for part in chunks(len(centres), ENCODED)]
    latents = imagined(model, torch.cat(seen), as_given_to(model, episodes.forces))
    for chunk in chunks(len(centres), LOOKED_AT):
        dream = torch.sigmoid(decoded(model, latents[chunk]))
        errors[chunk] = centroid_error(dream, centres[chunk])
        overlaps[chunk] = overlap(dream, torch.from_numpy(render(episodes.positions[chunk, context:], world)))
    return errors, overlaps


def dream_logits(
    model: WorldModel,
    seen: Float[np.ndarray, "episodes context frame h w"],
    forces: Float[np.ndarray, "episodes time 2"],
) -> Float[Tensor, "episodes horizon frame h w"]:
    """The frames that the model dreams after what it has seen, on the rest of the forces."""
    return decoded(model, imagined(model, encoded(model, seen), as_given_to(model, forces)))


def as_given_to(model: WorldModel, numbers: Float[np.ndarray, "*any"]) -> Float[Tensor, "*any"]:
    """Numbers in the precision in which a model computes."""
    return torch.from_numpy(numbers).to(model.latent_mean.dtype)


@torch.no_grad()
def encoded(
    model: WorldModel, seen: Float[np.ndarray, "episodes context frame h w"]
) -> Float[Tensor, "episodes context latent"]:
    """The latents of what was seen."""
    return model.encode(as_given_to(model, seen).flatten(0, 1)).unflatten(0, seen.shape[:2])


@torch.no_grad()
def imagined(
    model: WorldModel, seen: Float[Tensor, "episodes context _"], forces: Float[Tensor, "episodes time 2"]
) -> Float[Tensor, "episodes horizon latent"]:
    """What the model dreams after the latents of what it has seen, on the rest of the forces."""
    context = seen.shape[1]
    parts = [
        model.dream(model.filter(seen[part], forces[part, :context]), forces[part, context:])[0]
        for part in chunks(len(seen), DREAMED)
    ]
    return torch.cat(parts)


@torch.no_grad()
def decoded(
    model: WorldModel, latents: Float[Tensor, "episodes horizon latent"]
) -> Float[Tensor, "episodes horizon frame h w"]:
    return model.decode(latents)


def centroid_error(
    frames: Float[Tensor, "*#batch h w"], centres: Float[Tensor, "*#batch 2"]
) -> Float[Tensor, "*#batch"]:
    """Distance (px) of the centroid of what is visible from the true centre; half the diagonal where nothing is."""
    return (centroid(frames) - centres).norm(dim=-1).nan_to_num(nan=frames.shape[-1] / 2**0.5)


def overlap(frames: Float[Tensor, "*batch h w"], truth: Float[Tensor, "*batch h w"]) -> Float[Tensor, "*batch"]:
    """Intersection over union of the solid pixels; 1 where neither has any."""
    dreamed, true = frames > SOLID, truth > SOLID
    both, either = (dreamed & true).sum((-1, -2)), (dreamed | true).sum((-1, -2))
    return torch.where(either > 0, both / either, 1.0)


def copy_errors(episodes: Episodes, context: int, world: World) -> Float[np.ndarray, "episodes horizon"]:
    """Centroid error (px) of repeating the last frame of the context."""
    last = torch.from_numpy(render(episodes.positions[:, context - 1, -1], world))
    return centroid_error(last[:, None, None], true_centres(episodes, context, world)).mean(-1).numpy()


def true_centres(episodes: Episodes, context: int, world: World) -> Float[Tensor, "episodes horizon frame 2"]:
    """Where a perfect eye would find the block (px) after the context."""
    return torch.from_numpy(rendered_centre(episodes.positions[:, context:], world).astype(np.float32))


def wall_contact(episodes: Episodes, context: int) -> Bool[np.ndarray, "episodes horizon"]:
    """Whether the block has met a wall between the end of the context and the end of each later timestep."""
    count, time, frames, _ = episodes.positions.shape
    path, velocity = (x[:, context - 1 :].reshape(count, -1, 2) for x in (episodes.positions, episodes.velocities))
    # Of a frame in free flight the displacement is the velocity; of one that was reflected it is not.
    met = (np.abs(np.diff(path, axis=1) - velocity[:, 1:]) > 1e-9).any(-1)[:, frames - 1 :]
    return np.maximum.accumulate(met.reshape(count, time - context, frames).any(-1), axis=1)


def chunks(count: int, size: int) -> list[slice]:
    """`count` episodes, `size` at a time."""
    return [slice(first, first + size) for first in range(0, count, size)]


def plain(values: Float[np.ndarray, "*any"]) -> list:
    """An array as nested lists, with None for NaN, as JSON wants it."""
    objects = values.astype(object)
    objects[np.isnan(values)] = None
    return objects.tolist()
