"""What the pages are made of: templates, films, panels. All of it is in the page: nothing is loaded from outside."""

import base64
from html import escape
from importlib.resources import files
from string import Template

import imageio.v3 as imageio

MODEL_FILM = "Film of several episodes: reality, the model’s dream, and both over each other."
POLICY_FILM = "Film of several episodes: the policy drives the block to its target."


def page(template: str, **parts: str) -> str:
    """The page of that name in `templates/`, with `parts` in the places that it names, and the style of all pages."""
    return fill(template, style=_template("report.css"), **parts)


def fill(template: str, **parts: str) -> str:
    """The template of that name with `parts`, which are HTML, in its places."""
    return Template(_template(f"{template}.html")).substitute(parts)


def both_films(model: bytes, policy: bytes) -> str:
    """The GIFs of the model and of the policy, each with what there is to see in it."""
    return fill("films", model_film=film(model, MODEL_FILM), policy_film=film(policy, POLICY_FILM))


def film(gif: bytes, description: str) -> str:
    """A GIF, or its middle frame for a reader whose system asks for little motion."""
    frames, height, width, _ = imageio.improps(gif, extension=".gif").shape
    still = imageio.imwrite("<bytes>", imageio.imread(gif, extension=".gif", index=frames // 2), extension=".png")
    return (
        f'<picture><source media="(prefers-reduced-motion: reduce)" srcset="{_data_uri("image/png", still)}">'
        f'<img src="{_data_uri("image/gif", gif)}" width="{width}" height="{height}" alt="{escape(description)}">'
        "</picture>"
    )


def panel(title: str, content: str) -> str:
    """A titled box; `content` is HTML."""
    return f'<figure class="panel"><figcaption>{words(title)}</figcaption>{content}</figure>'


def words(name: str) -> str:
    """A name of the code as escaped words."""
    return escape(name.replace("_", " "))


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _template(name: str) -> str:
    return (files("viewer") / "templates" / name).read_text("utf-8")
