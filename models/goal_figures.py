"""How well the policy reaches its goals on the true simulator, beside the oracle and controllers that know no goal."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64

from models.dream_figures import as_given_to, chunks, dream_logits
from models.policy import Policy, encode_target
from models.statistics import bootstrap, worst
from models.world_model import WorldModel
from sim_core.controllers import random_force, zero_force
from sim_core.drive import ChooseForce, drive, settle_frames
from sim_core.episodes import random_goals
from sim_core.oracle import oracle
from sim_core.raster import render
from sim_core.world import State, World

HELD = 10  # timesteps at the end over which a distance is averaged
CHUNK = 100  # episodes that are driven at a time, to keep what a controller looks at near the processor

Positions = Float64[np.ndarray, "episodes time frame 2"]


def goal_reaching(
    model: WorldModel, policy: Policy, world: World, which: str, count: int, timesteps: int
) -> dict[str, Any]:
    """What stands under "goal_reaching" in `evaluation.json`: every controller on the first `count` goals of a set."""
    start, target = random_goals(which, range(count), world)
    driven = {
        "policy": drive_policy(model, policy, start, render(target, world), timesteps, world),
        "oracle": _drive_in_chunks(start, lambda chunk: oracle(target[chunk], world), timesteps, world),
        "zero_force": drive(start, zero_force, timesteps, world),
        "random_force": drive(start, random_force(seed=0), timesteps, world),
    }
    distances = {name: distances_to(target, positions) for name, (positions, _) in driven.items()}
    settling = np.stack([settle_frames(distances[name].reshape(count, -1)) for name in ("policy", "oracle")], axis=-1)
    ratio, interval = bootstrap(settling, _ratio_of_means)
    return {
        "timesteps": timesteps,
        "controllers": {name: controller_figures(distance) for name, distance in distances.items()},
        "settle_ratio": ratio,
        "intervals": {"settle_ratio": interval},
    }


def policy_settling(
    model: WorldModel, policy: Policy, world: World, which: str, count: int, timesteps: int
) -> Float64[np.ndarray, " episodes"]:
    """The frames after which the policy settles, for each of the first `count` goals of a set."""
    start, target = random_goals(which, range(count), world)
    positions, _ = drive_policy(model, policy, start, render(target, world), timesteps, world)
    return settle_frames(distances_to(target, positions).reshape(count, -1))


def distances_to(
    target: Float64[np.ndarray, "episodes 2"], positions: Positions
) -> Float64[np.ndarray, "episodes timesteps frame"]:
    """Distances (px) to the targets, from the first frame that a chosen force moved."""
    return np.linalg.norm(positions[:, 1:] - target[:, None, None], axis=-1)


def controller_figures(distance: Float64[np.ndarray, "episodes time frame"]) -> dict[str, Any]:
    """The figures of one controller, of the distances (px) to the target from the first frame that it moved."""
    count, timesteps, frames = distance.shape
    final, held = distance[:, -1, -1], distance[:, -HELD:].mean(axis=(1, 2))
    path = distance.reshape(count, -1)
    settle = settle_frames(path)
    figures = {
        "final_px_mean": bootstrap(final, np.mean),
        "final_px_median": bootstrap(final, np.median),
        "within_1px": bootstrap(final <= 1, np.mean),
        "within_2px": bootstrap(final <= 2, np.mean),
        "held_1px": bootstrap(held < 1, np.mean),
        "held_2px": bootstrap(held < 2, np.mean),
        "settled": bootstrap(settle < timesteps * frames, np.mean),
        "settle_frames_mean": bootstrap(settle, np.mean),
        "settle_frames_median": bootstrap(settle, np.median),
        "settle_frames_p95": bootstrap(settle, partial(np.percentile, q=95)),
    }
    quarters = np.percentile(path, (25, 50, 75), axis=0).tolist()
    return {
        **{name: figure for name, (figure, _) in figures.items()},
        "intervals": {name: interval for name, (_, interval) in figures.items()},
        "distance": {
            "frame": list(range(1, path.shape[1] + 1)),
            **dict(zip(("q25", "median", "q75"), quarters, strict=True)),
        },
        "worst": worst(held),
    }


def goal_frames(
    model: WorldModel, policy: Policy, world: World, which: str, indices: range, timesteps: int
) -> tuple[
    Float32[np.ndarray, "episodes time frame h w"],
    Float32[np.ndarray, "episodes time frame h w"],
    Float32[np.ndarray, "episodes h w"],
]:
    """What happens on the way to some goals, what the model imagined of it one timestep ahead, and the targets.

    `1 + timesteps` timesteps; before the first nothing was seen, and nothing is imagined.
    """
    start, target = random_goals(which, indices, world)
    image = render(target, world)
    positions, forces = drive_policy(model, policy, start, image, timesteps, world)
    truth = render(positions, world)
    imagined = np.zeros_like(truth)
    for t in range(1, timesteps + 1):
        first = max(0, t - model.config.memory)
        imagined[:, t] = torch.sigmoid(dream_logits(model, truth[:, first:t], forces[:, first : t + 1]))[:, 0].numpy()
    return truth, imagined, image


def drive_policy(
    model: WorldModel,
    policy: Policy,
    start: State,
    target: Float32[np.ndarray, "episodes h w"],
    timesteps: int,
    world: World,
) -> tuple[Positions, Float32[np.ndarray, "episodes time 2"]]:
    """`drive` with the policy, which sees rendered observations and the target images."""
    return _drive_in_chunks(
        start, lambda chunk: policy_controller(model, policy, target[chunk], world), timesteps, world
    )


def policy_controller(
    model: WorldModel, policy: Policy, target: Float32[np.ndarray, "episodes h w"], world: World
) -> ChooseForce:
    """The policy on its way to the target images. Of the true state it sees no more than the frames that show it.

    It keeps the last `memory` observations and filters them anew at each timestep, as they were filtered in training.
    """
    memory = model.config.memory
    with torch.no_grad():
        goal = encode_target(model, as_given_to(model, target))
    latents: deque[torch.Tensor] = deque(maxlen=memory)
    forces = deque([goal.new_zeros(len(target), 2)], maxlen=memory)

    @torch.no_grad()
    def choose_force(t: int, state: State, positions: Positions) -> Float32[np.ndarray, "episodes 2"]:
        latents.append(model.encode(as_given_to(model, render(positions[:, -1], world))))
        remembered = model.filter(torch.stack(list(latents), 1), torch.stack(list(forces), 1))
        forces.append(policy(remembered, goal, forces[-1]))
        return forces[-1].float().numpy()

    return choose_force


def _drive_in_chunks(
    start: State, controller: Callable[[slice], ChooseForce], timesteps: int, world: World
) -> tuple[Positions, Float32[np.ndarray, "episodes time 2"]]:
    """`drive` with a controller of its own for each chunk of the episodes."""
    driven = [
        drive(State(*(part[chunk] for part in start)), controller(chunk), timesteps, world)
        for chunk in chunks(len(start.position), CHUNK)
    ]
    positions, forces = zip(*driven, strict=True)
    return np.concatenate(positions), np.concatenate(forces)


def _ratio_of_means(pairs: np.ndarray, axis: int) -> np.ndarray:
    means = pairs.mean(axis=axis)
    return means[..., 0] / means[..., 1]
