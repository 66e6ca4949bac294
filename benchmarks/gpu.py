"""Trainings on a GPU, beside what its arithmetic would allow: python -m benchmarks gpu --json docs/performance-gpu.json

As the preset gpu trains: steps recorded as CUDA graphs, float32 products, frames as bytes in the GPU's memory.
"""

import copy
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Row
from components.configuration import resolve
from models.dataset import Dataset, write_shard
from models.phase import Batch, Phase
from models.policy import Policy
from models.steps import RecordedSteps
from models.train_policy import policy_phase
from models.train_world_model import autoencoder_phase, dynamics_phase
from models.world_model import WorldModel
from sim_core.episodes import random_episodes
from sim_core.world import World

EPISODES = 1024
WARM, TIMED = 20, 300  # steps; the first two of them are not replayed
ASKED = 20  # steps, of which the GPU's queue holds all, so that nothing waits
SIDE, PRODUCTS = 8192, 10  # of the products that show what the GPU's arithmetic can do in float32


def rows() -> Iterator[Row]:
    """The three trainings: samples a second, share of the arithmetic's limit, and share of the time in Python.

    Raises:
        ValueError: there is no GPU.
    """
    if not torch.cuda.is_available():
        raise ValueError("there is no GPU on this machine that PyTorch can use")
    device = torch.device("cuda")
    peak = products_per_second(device)
    with TemporaryDirectory() as scratch:
        for phase, plan in phases(Path(scratch), device):
            yield from timed(same_plan(phase, plan), peak)


def phases(scratch: Path, device: torch.device) -> Iterator[tuple[Phase, tuple[int, ...]]]:
    """The phases of the preset, untrained, each with its longest plan."""
    world, config = World(), resolve("gpu", 0, {})
    write_shard(scratch, [random_episodes("training", range(EPISODES), config.data.timesteps, world)], world)
    dataset = Dataset([scratch]).on(device)
    torch.manual_seed(0)
    model, memory = WorldModel(config.world_model).to(device), config.world_model.memory
    yield autoencoder_phase(model, config.world_model_training, dataset), ()
    yield (
        dynamics_phase(model, config.world_model_training, dataset),
        (memory, max(config.world_model_training.horizons)),
    )
    frozen = copy.deepcopy(model).requires_grad_(False)
    policy = Policy(config.policy, config.world_model).to(device)
    yield policy_phase(policy, config.policy_training, frozen, dataset), (memory, config.policy_training.lead)


def same_plan(phase: Phase, plan: tuple[int, ...]) -> Phase:
    """The phase with steps of one plan only, drawn as the phase draws them."""
    steps = [step for step in range(phase.steps) if phase.draw(step).plan == plan]
    return replace(phase, steps=WARM + TIMED + ASKED, draw=lambda step: phase.draw(steps[step % len(steps)]))


def timed(phase: Phase, peak: float) -> Iterator[Row]:
    steps = RecordedSteps(phase)
    work = flops(phase, phase.draw(0), next(steps.module.parameters()).device)
    with steps.running():
        for step in range(WARM):
            steps.take(step)
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for step in range(WARM, WARM + TIMED):
            steps.take(step)
        torch.cuda.synchronize()
        seconds = (time.perf_counter() - begun) / TIMED
        asked = time.perf_counter()
        for step in range(WARM + TIMED, WARM + TIMED + ASKED):
            steps.take(step)
        python = (time.perf_counter() - asked) / ASKED
    yield Row(
        f"{phase.name}, batch {phase.batch}, plan {phase.draw(0).plan}",
        f"{seconds * 1e3:.2f} ms a step, {phase.batch / seconds:,.0f} samples/s",
        f"{work / peak * 1e3:.2f} ms: {work / 1e9:.2f} GFLOP at {peak / 1e12:.1f} TFLOP/s, as large products reach",
        work / peak / seconds,
    )
    yield Row(
        f"{phase.name}: Python's share of a step",
        f"{python * 1e3:.3f} ms",
        f"{seconds * 1e3:.2f} ms",
        100 * python / seconds,
        must=5,
        unit="%",
        higher_is_better=False,
    )


def flops(phase: Phase, batch: Batch, device: torch.device) -> float:
    """Floating-point operations of a step's products and convolutions, forward and backward, of a phase that began."""
    with FlopCounterMode(display=False) as counter:
        loss, _ = phase.loss(batch._replace(rows=tuple(row.to(device) for row in batch.rows)))
        loss.backward()
    return counter.get_total_flops()


def products_per_second(device: torch.device) -> float:
    """What the GPU reaches in large float32 products, FLOP/s."""
    a, b = torch.randn(2, SIDE, SIDE, device=device)
    for _ in range(2):
        a @ b
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(PRODUCTS):
        a @ b
    torch.cuda.synchronize()
    return PRODUCTS * 2 * SIDE**3 / (time.perf_counter() - begun)
