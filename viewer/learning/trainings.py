"""The trainings of the ablation: each a process of its own, whose result is one JSON file."""

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch

from models.checkpoint import load_world, load_world_model
from models.config import PolicyConfig, PolicyTraining, WorldModelConfig, WorldModelTraining
from models.dataset import Dataset, write_shard
from models.dream_figures import centroid_error, compare_dreams, dream_logits, plain, true_centres
from models.goal_figures import HELD, drive_policy, goal_reaching
from models.policy import Policy
from models.precision import precision
from models.process import prepare
from models.train_policy import train_policy
from models.train_world_model import train_world_model
from models.world_model import WorldModel
from sim_core.episodes import random_episodes, random_goals
from sim_core.raster import render
from sim_core.world import World
from viewer.commit import commit
from viewer.learning.parts import replaced
from viewer.learning.variants import BY_NAME, POLICY_BASELINE, SEEDS, VARIANTS, WORLD_MODEL, Lengths, Variant
from viewer.weights import PRETRAINED, pretrained_commit

TIMESTEPS = 16  # of an episode after the first, as `models.config.DataConfig` has them
CONTEXT, HORIZONS = 3, (1, 5, 10)  # of the dreams that judge a world model
PURSUIT = 50  # timesteps for which a goal is pursued
SMALL = 3  # px, side of the squares that are drawn
RATE = 0.005  # of the policy, the preset gpu's: the pretrained world model is as large as that preset's
CHUNK = 100  # episodes whose frames are fed back at a time


class Job(NamedTuple):
    """A variant and the seed of its data and training."""

    variant: str
    seed: int


def all_jobs() -> list[Job]:
    """Every variant with the first seed, then with the next; both baselines before, with every seed."""
    first = [variant.name for variant in VARIANTS]
    baselines = (first[0], POLICY_BASELINE.name)
    jobs = [Job(name, seed) for name in baselines for seed in SEEDS]
    return jobs + [Job(name, seed) for seed in SEEDS for name in first if name not in baselines]


def result_file(folder: Path, job: Job) -> Path:
    return folder / f"{job.variant}-{job.seed}.json"


def run_jobs(
    jobs: Sequence[Job],
    folder: Path,
    lengths: Lengths,
    processes: int,
    on_done: Callable[[Job, Exception | None], None],
) -> None:
    """Train what has no result in `folder` yet, some at a time. `on_done` is told of each, and what it died of."""
    waiting = [job for job in jobs if not result_file(folder, job).exists()]
    running: dict[Future, Job] = {}
    # Not forked: torch's threads do not survive it. And a process for each, so that each has its own CPU time.
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_prepare, max_tasks_per_child=1) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < processes:
                    job = waiting.pop(0)
                    running[pool.submit(run_job, job, folder, lengths)] = job
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    error = future.exception()
                    on_done(running.pop(future), error if isinstance(error, Exception) else None)
        finally:
            pool.shutdown(cancel_futures=True)


def run_job(job: Job, folder: Path, lengths: Lengths) -> None:
    """Train one variant, judge it, and write its result."""
    variant, began = BY_NAME[job.variant], time.process_time()
    with TemporaryDirectory() as scratch:
        learn = learn_world_model if variant.learner == WORLD_MODEL else learn_policy
        with replaced(variant.parts):
            figures = learn(variant, job.seed, lengths, Path(scratch))
    result = {
        "schema": 1,
        **job._asdict(),
        "lengths": asdict(lengths),
        "cpu_seconds": round(time.process_time() - began, 1),
        "torch": torch.__version__,
        "commit": commit(),
        "figures": figures,
    }
    file = result_file(folder, job)
    incoming = file.with_suffix(".incoming")
    incoming.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    incoming.replace(file)


def learn_world_model(variant: Variant, seed: int, lengths: Lengths, scratch: Path) -> dict[str, Any]:
    """Train a world model and judge its dreams."""
    world = World()
    scaled = _scaled(lengths, variant)
    steps = {name: getattr(scaled, name) for name in ("autoencoder_steps", "dynamics_steps", "decoder_steps")}
    training = WorldModelTraining(seed=seed, **{**steps, **variant.training})
    dataset = _dataset(scratch, world, scaled.episodes, seed)
    model = train_world_model(WorldModelConfig(**variant.network), training, dataset, scratch / "training")
    return judge_dreams(model, world, lengths.dreams)


def learn_policy(variant: Variant, seed: int, lengths: Lengths, scratch: Path) -> dict[str, Any]:
    """Train a policy through the pretrained world model, and judge it."""
    model, world = load_world_model(PRETRAINED / "world_model"), load_world(PRETRAINED / "world_model")
    training = PolicyTraining(seed=seed, **{"steps": lengths.policy_steps, "rate": RATE, **variant.training})
    dataset = _dataset(scratch, world, lengths.episodes, seed)
    policy = train_policy(PolicyConfig(), training, model, dataset, scratch / "training")
    return {"world_model": pretrained_commit(), **judge_policy(model, policy, world, lengths.goals)}


def judge_dreams(model: WorldModel, world: World, count: int) -> dict[str, Any]:
    """Errors and precision (px) of dreams of validation episodes, at `HORIZONS`.

    "on_pixels_px" is the error of the same model where each frame that it imagines is seen by it as if it were real.
    """
    episodes = random_episodes("validation", range(count), CONTEXT + max(HORIZONS) - 1, world)
    error = compare_dreams(model, episodes, CONTEXT, world)[0].mean(axis=2)
    centres = true_centres(episodes, CONTEXT, world)
    on_pixels = []
    for first in range(0, count, CHUNK):
        chunk = slice(first, first + CHUNK)
        logits = dream_on_pixels(model, render(episodes.positions[chunk, :CONTEXT], world), episodes.forces[chunk])
        on_pixels.append(centroid_error(torch.sigmoid(logits), centres[chunk]).mean(-1).numpy())
    at = np.array(HORIZONS) - 1
    mean = error.mean(axis=0)
    return {
        "horizon": list(HORIZONS),
        "error_px": plain(mean[at]),
        "median_px": plain(np.median(error, axis=0)[at]),
        "precision_px": plain(precision(mean, episodes, CONTEXT, world)[at]),
        "on_pixels_px": plain(np.concatenate(on_pixels).mean(axis=0)[at]),
        "parameters": sum(weight.numel() for weight in model.parameters()),
    }


def dream_on_pixels(model: WorldModel, seen: np.ndarray, forces: np.ndarray) -> torch.Tensor:
    """As `models.dream_figures.dream_logits`, but a timestep at a time, from frames of which the last were imagined."""
    frames, imagined = seen, []
    for t in range(seen.shape[1], forces.shape[1]):
        first = max(0, t - model.config.memory)
        imagined.append(dream_logits(model, frames[:, first:t], forces[:, first : t + 1]))
        frames = np.concatenate([frames, torch.sigmoid(imagined[-1]).numpy()], axis=1)
    return torch.cat(imagined, 1)


def judge_policy(model: WorldModel, policy: Policy, world: World, count: int) -> dict[str, Any]:
    """Figures of goal-reaching on validation goals, and on how many small drawn squares the block stays.

    A drawing is anywhere in the frame, at a wall too, where the middle of a block cannot be in its middle.
    """
    goals = goal_reaching(model, policy, world, "validation", count, PURSUIT)
    reached = goals["controllers"]["policy"]
    start, _ = random_goals("validation", range(count), world)
    corners = np.random.default_rng(0).integers(0, world.size - SMALL + 1, (count, 2))
    covered = (np.arange(world.size) >= corners[..., None]) & (np.arange(world.size) < corners[..., None] + SMALL)
    drawings = (covered[:, 1, :, None] & covered[:, 0, None, :]).astype(np.float32)
    positions, _ = drive_policy(model, policy, start, drawings, PURSUIT, world)
    away = np.linalg.norm(positions[:, -HELD:] - (corners + SMALL / 2)[:, None, None], axis=-1).max(axis=(1, 2))
    return {
        "settled": reached["settled"],
        "settle_ratio": goals["settle_ratio"],
        "final_px_mean": reached["final_px_mean"],
        "held_1px": reached["held_1px"],
        "small_squares": float((away < 1.5).mean()),
    }


def _prepare() -> None:
    """On the processor, whatever else there is: variants are compared by what they learn in CPU time."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # read when torch first looks for a GPU
    prepare()


def _dataset(scratch: Path, world: World, count: int, seed: int) -> Dataset:
    shard = scratch / "data"
    shard.mkdir()
    write_shard(shard, [random_episodes("training", range(count), TIMESTEPS, world, seed)], world)
    return Dataset([shard])


def _scaled(lengths: Lengths, variant: Variant) -> Lengths:
    return replace(
        lengths, **{name: max(1, round(getattr(lengths, name) * factor)) for name, factor in variant.scaled.items()}
    )
