"""The demo page: one HTML file, to send or to put on any static host, in which a world model can be played with."""

from collections.abc import Callable
from html import escape
from typing import Any

from tqdm import tqdm

from models.config import EvaluationConfig
from models.policy import Policy
from models.world_model import WorldModel
from sim_core.world import World
from viewer.filming import film_of_model, film_of_policy
from viewer.films import gif
from viewer.page import both_films, page
from viewer.player import player


def demo(model: WorldModel, policy: Policy, world: World, weights: str) -> str:
    """The page as HTML: the player, the films and a few sentences, with a bar while it is made.

    `weights` says where the weights are from. Errors are those of `player`.
    """
    makers: dict[str, Callable[[], Any]] = {
        "player": lambda: player(model, policy, world),
        "model": lambda: gif(film_of_model(model, world, EvaluationConfig.horizon)),
        "policy": lambda: gif(film_of_policy(model, policy, world, EvaluationConfig.timesteps)),
    }
    made = {name: make() for name, make in tqdm(makers.items(), desc="page", leave=False)}
    films = both_films(made["model"], made["policy"])
    return page("demo", player=made["player"], films=films, weights=escape(weights))
