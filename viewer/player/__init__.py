"""The player: a world model and a policy that run in the reader's browser, beside the simulator."""

import json
from dataclasses import asdict
from importlib.resources import files
from string import Template

from models.policy import Policy
from models.world_model import WorldModel
from sim_core.world import World
from viewer.player.export import export

SCRIPTS = ("network", "world", "play", "target", "push", "picture", "curve", "readout", "controls", "game", "start")


def player(model: WorldModel, policy: Policy, world: World) -> str:
    """An HTML fragment in which one can play with the dream: style, markup, weights and script, all inline.

    It fetches nothing, so it works in a sandboxed iframe, from a file and offline. It fills the width that it is given,
    takes its colours from the page's variables (--card, --ink, --quiet, --line, --accent) and brings no heading.
    Without scripts it is one sentence. One player to a page.

    Raises:
        ValueError: the networks hold an operation that the page does not know, or know frames of another size than the
            world's.
    """
    if (world.size, world.frames) != (model.config.size, model.config.frames):
        raise ValueError(
            f"the world has {world.frames} frames of {world.size} px a timestep, "
            f"but the world model was made for {model.config.frames} of {model.config.size} px"
        )
    page = files("viewer.player") / "page"
    data = json.dumps({"world": asdict(world), "program": export(model, policy)}, separators=(",", ":"))
    return Template((page / "player.html").read_text("utf-8")).substitute(
        style=(page / "player.css").read_text("utf-8"),
        data=data,
        script=page_script(),
    )


def page_script() -> str:
    """The page's functions; none is called yet."""
    return "\n".join((files("viewer.player") / "page" / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
