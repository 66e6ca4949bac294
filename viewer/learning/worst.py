"""The worst dreams, and why: what happened at the walls before they left the truth, beside the exact simulator.

A block that reaches a wall is reflected in the frame in which it would be beyond it. Had it come a hair's breadth less
far, it would be a frame later, with one push of the force before it and not after: the velocity, in px/frame, then
differs by twice the acceleration, however small the breadth. A call is close where that breadth is small.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from models.dream_figures import compare_dreams
from models.precision import exact_errors, precision
from models.world_model import WorldModel
from sim_core.episodes import Episodes, random_episodes
from sim_core.world import World

COUNT = 1000  # validation episodes
CONTEXT, HORIZON = 3, 10
WORST = 20
DEPARTED = 0.25  # px of error from which a dream counts as having left the truth
DRAWS = 16  # of the noise in the start of the exact simulator, per episode
CALLS = (0, 0.01, 0.02, 0.05, 0.1, 0.2, np.inf)  # px, by which episodes are told apart
MOST = 5  # contacts that are told apart


def closest_calls(episodes: Episodes, world: World) -> Float[np.ndarray, "episodes frames"]:
    """How near each reflection was to falling into another frame, px, along either axis; infinite where none was.

    It is the less of how far the block would have been beyond the wall, and how far from it it was the frame before.
    """
    position, velocity = (each.reshape(len(each), -1, 2) for each in (episodes.positions, episodes.velocities))
    push = np.repeat(episodes.forces, world.frames, axis=1) * world.force
    calls = np.full(position.shape[:2], np.inf)
    before = position[:, :-1]
    reached = before + velocity[:, :-1] * (1 - world.drag) + push[:, 1:]
    beyond = np.maximum(world.low - reached, reached - world.high)
    gap = np.where(reached < world.low, before - world.low, world.high - before)
    calls[:, 1:] = np.where(beyond > 0, np.minimum(beyond, gap), np.inf).min(axis=-1)
    return calls


def worst_dreams(model: WorldModel, world: World, count: int = COUNT) -> dict[str, Any]:
    """What the page says of the worst dreams, as JSON; errors are means over the frames of a timestep, px."""
    episodes = random_episodes("validation", range(count), CONTEXT + HORIZON - 1, world)
    frames = compare_dreams(model, episodes, CONTEXT, world)[0]
    error = frames.mean(axis=2)
    sigma = float(precision(error.mean(axis=0), episodes, CONTEXT, world)[-1])
    exact = exact_errors(sigma, episodes, CONTEXT, world, DRAWS)
    calls = closest_calls(episodes, world)
    seen = (CONTEXT - 1) * world.frames  # the last observation begins here: its contacts have to be understood too
    last, ahead = calls[:, seen : seen + world.frames], calls[:, seen + world.frames :]
    contacts = np.isfinite(ahead).reshape(count, HORIZON, world.frames).sum(-1).cumsum(1).clip(max=MOST)
    nearest = calls[:, seen:].min(axis=1)
    order = np.argsort(-error[:, -1], kind="stable")[:WORST]
    return {
        "schema": 1,
        "episodes": count,
        "error_px": float(error[:, -1].mean()),
        "sigma_px": sigma,
        "worst_share": float(error[order, -1].sum() / error[:, -1].sum()),
        "exact_worst_share": float(np.mean([_share(draw[:, -1]) for draw in exact])),
        "by_contacts": {
            "contacts": list(range(MOST + 1)),
            "dream_px": [_mean(error[contacts == n]) for n in range(MOST + 1)],
            "exact_px": [_mean(exact[:, contacts == n]) for n in range(MOST + 1)],
        },
        "by_call": {
            "below_px": [float(high) if np.isfinite(high) else None for high in CALLS[1:]],
            "episodes": [int(_between(nearest, i).sum()) for i in range(len(CALLS) - 1)],
            "dream_px": [_mean(error[_between(nearest, i), -1]) for i in range(len(CALLS) - 1)],
            "exact_px": [_mean(exact[:, _between(nearest, i), -1]) for i in range(len(CALLS) - 1)],
        },
        "median_call_px": float(np.median(calls[:, seen:][np.isfinite(calls[:, seen:])])),
        "worst": [
            _story(int(episode), frames[episode].ravel(), last[episode], ahead[episode], exact[:, episode, -1])
            for episode in order
        ],
    }


def _story(
    episode: int,
    error: Float[np.ndarray, " frames"],
    last: Float[np.ndarray, " seen"],
    ahead: Float[np.ndarray, " frames"],
    exact: Float[np.ndarray, " draws"],
) -> dict[str, Any]:
    """Of one dream: its error, the frame in which it departed, and the last contact until then."""
    departed = int((error > DEPARTED).argmax())
    calls = np.concatenate([last, ahead[: departed + 1]])
    met = np.flatnonzero(np.isfinite(calls))
    return {
        "episode": episode,
        "error_px": float(error.reshape(HORIZON, -1)[-1].mean()),
        "departed": departed + 1,
        "last_contact": int(met[-1]) - len(last) + 1 if met.size else None,  # 0 or below: it was seen
        "call_px": float(calls[met[-1]]) if met.size else None,
        "exact_px": float(exact.mean()),
        "exact_most_px": float(exact.max()),
    }


def _between(nearest: Float[np.ndarray, " episodes"], place: int) -> np.ndarray:
    # The last bin has those without a contact too.
    high = CALLS[place + 1]
    return (nearest >= CALLS[place]) & ((nearest < high) | np.isinf(high))


def _share(error: Float[np.ndarray, " episodes"]) -> float:
    return float(np.sort(error)[-WORST:].sum() / error.sum())


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
