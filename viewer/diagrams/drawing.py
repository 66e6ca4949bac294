"""What the figures are drawn with: boxes, arrows, tensors and texts, as SVG that reads in light and dark."""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

# A colour says the same in all figures: images, latents, the recurrent state, forces, the loss and its gradient.
STYLE = """
svg{--paper:#ffffff;--card:#f6f8fa;--rim:#d0d7de;--ink:#1f2328;--soft:#59636e;--op:#ffffff;
--image:#1a7f37;--latent:#8250df;--state:#0969da;--force:#bc4c00;--loss:#cf222e;--fill:.14}
@media(prefers-color-scheme:dark){svg{--paper:#0d1117;--card:#161b22;--rim:#30363d;--ink:#e6edf3;--soft:#9198a1;
--op:#21262d;--image:#3fb950;--latent:#ab7df8;--state:#4493f8;--force:#f0883e;--loss:#f85149;--fill:.24}}
text{fill:var(--ink);font:14px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;text-anchor:middle}
.h{font-weight:600;text-anchor:start}.left{text-anchor:start}.right{text-anchor:end}
.s{font-size:12px;fill:var(--soft)}.p{font-size:12px}.m{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.on{paint-order:stroke;stroke:var(--card);stroke-width:5}
.paper{fill:var(--paper)}.card{fill:var(--card);stroke:var(--rim)}.gap{fill:var(--card)}.op{fill:var(--op);stroke:var(--soft)}
.grey,.image,.latent,.state,.force,.loss{stroke:var(--c);fill:var(--c);fill-opacity:var(--fill);stroke-width:1.5}
.grey{--c:var(--soft)}.image{--c:var(--image)}.latent{--c:var(--latent)}
.state{--c:var(--state)}.force{--c:var(--force)}.loss{--c:var(--loss)}
.solid{fill-opacity:1;stroke:none}.wire{fill:none}.dash{stroke-dasharray:5 4}
.guide{fill:none;stroke:var(--rim);stroke-width:1.5}
"""
COLOURS = ("grey", "image", "latent", "state", "force", "loss")
SANS, MONO, SMALL = 8.6, 7.4, 7.4  # px that a letter takes at most, on average, in the widest of usual fonts
MARGIN = 20


class Item(NamedTuple):
    """Something that can stand in a row: how wide it is, and how it is drawn at a left edge and a middle height."""

    width: float
    draw: Callable[[float, float], str]


def figure(width: int, height: int, title: str, description: str, parts: Sequence[str]) -> str:
    """A whole SVG file, on paper of its own: the page around it may have another scheme than the reader's system."""
    heads = "".join(
        f'<marker id="{colour}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto" '
        f'markerUnits="userSpaceOnUse"><path class="{colour} solid" d="M0 0 8 4 0 8z"/></marker>'
        for colour in COLOURS
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="t d">'
        f'<title id="t">{escape(title)}</title><desc id="d">{escape(description)}</desc>'
        f"<style>{STYLE}</style><defs>{heads}</defs>"
        f'<rect class="paper" width="{width}" height="{height}" rx="12"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def shape(sizes: Sequence[int]) -> str:
    """The shape of a tensor as people write it."""
    return " × ".join(map(str, sizes))


def text(x: float, y: float, content: str, kind: str = "n") -> str:
    """A line of text with its baseline at `y`, its middle at `x` unless `kind` says otherwise."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(content)}</text>'


def rectangle(x: float, y: float, width: float, height: float, kind: str, radius: float = 6) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'


def arrow(*points: tuple[float, float], colour: str = "grey", dashed: bool = False, head: bool = True) -> str:
    """A line through points, with rounded corners and, if it has one, a head at the last."""
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = towards(corner, before), towards(corner, after)
        path += f"L{start[0]:g} {start[1]:g}Q{corner[0]:g} {corner[1]:g} {end[0]:g} {end[1]:g}"
    path += f"L{points[-1][0]:g} {points[-1][1]:g}"
    marker = f' marker-end="url(#{colour})"' if head else ""
    return f'<path class="{colour} wire{" dash" if dashed else ""}" d="{path}"{marker}/>'


def towards(point: tuple[float, float], other: tuple[float, float], most: float = 8) -> tuple[float, float]:
    """The point that is a corner's radius away from `point`, on a straight line to `other`."""
    across, down = other[0] - point[0], other[1] - point[1]
    length = max(abs(across), abs(down))
    share = min(most, length / 2) / length
    return point[0] + share * across, point[1] + share * down


def operation(*lines: str, kind: str = "op", recurrent: bool = False) -> Item:
    """A box with what is computed in it, and an arrow back to itself if it remembers."""
    width, height = max(map(len, lines)) * SANS + 20, 20 * len(lines) + 18

    def draw(x: float, y: float) -> str:
        middle, top = x + width / 2, y - height / 2
        texts = [text(middle, top + 28 - 5 + 20 * i, line) for i, line in enumerate(lines)]
        back = [(middle + 22, top), (middle + 22, top - 16), (middle - 22, top - 16), (middle - 22, top - 1)]
        return rectangle(x, top, width, height, kind) + "".join(texts) + (arrow(*back) if recurrent else "")

    return Item(width, draw)


def images(sizes: Sequence[int], name: str, kind: str = "image", moving: bool = True) -> Item:
    """An image or a stack of some, with a block that moves, and the shape below."""
    count, side, step = 1 if len(sizes) == 2 else min(sizes[0], 5), 46, 6
    depth = side + step * (count - 1)
    width = max(depth, len(shape(sizes)) * MONO, len(name) * SMALL)

    def draw(x: float, y: float) -> str:
        left, top = x + (width - depth) / 2, y - depth / 2
        drawn = ""
        for i in range(count):
            a, b = left + step * i, top + step * (count - 1 - i)
            drawn += rectangle(a, b, side, side, "paper", 3) + rectangle(a, b, side, side, kind, 3)
        for i in range(count if moving else 0):
            block = rectangle(a + 6 + 7 * i, b + 31 - 6 * i, 8, 8, f"{kind} solid", 1)
            drawn += f'<g opacity="{(i + 1) / count:g}">{block}</g>'
        return drawn + label(x + width / 2, y + depth / 2 + 18, name, sizes)

    return Item(width, draw)


def vector(sizes: Sequence[int], name: str, kind: str) -> Item:
    """A column of numbers, the longer the more there are, and how many below."""
    height, cells = 16 + 4.5 * sizes[0] ** 0.5, 2 + round(sizes[0] ** 0.4)
    width = max(14, len(shape(sizes)) * MONO, len(name) * SMALL)

    def draw(x: float, y: float) -> str:
        left, top = x + width / 2 - 7, y - height / 2
        lines = "".join(f"M{left:g} {top + height * i / cells:g}h14" for i in range(1, cells))
        column = rectangle(left, top, 14, height, kind, 3) + f'<path class="{kind}" d="{lines}"/>'
        return column + label(x + width / 2, y + height / 2 + 18, name, sizes)

    return Item(width, draw)


def label(x: float, y: float, name: str, sizes: Sequence[int]) -> str:
    """What a tensor is called and, below, its shape."""
    return text(x, y, name, "s") + text(x, y + 16, shape(sizes), "m")


def joined(*parts: tuple[str, Sequence[int], str]) -> Item:
    """Several vectors (name, sizes, kind) that become one."""
    texts = [f"{name} {shape(sizes)}" for name, sizes, _ in parts]
    pill = max(map(len, texts)) * SMALL + 18
    step, bracket = 32, 22

    def draw(x: float, y: float) -> str:
        top = y - step * (len(parts) - 1) / 2
        drawn = ""
        for i, (content, (_, _, kind)) in enumerate(zip(texts, parts, strict=True)):
            middle = top + step * i
            drawn += rectangle(x, middle - 12, pill, 24, kind, 12) + text(x + pill / 2, middle + 4, content, "p")
            drawn += arrow((x + pill, middle), (x + pill + bracket, y), head=False)
        return drawn

    return Item(pill + bracket, draw)


def row(left: float, right: float, y: float, items: Sequence[Item]) -> str:
    """Items from left to right with arrows between them.

    Raises:
        ValueError: there is no room for an arrow between them.
    """
    gap = (right - left - sum(item.width for item in items)) / (len(items) - 1)
    if gap < 18:
        raise ValueError(f"the items of a row need {18 - gap:.0f} px more between each two")
    drawn, x = "", left
    for i, item in enumerate(items):
        drawn += item.draw(x, y)
        if i + 1 < len(items):
            drawn += arrow((x + item.width + 4, y), (x + item.width + gap - 4, y))
        x += item.width + gap
    return drawn


def panel(y: float, width: int, height: float, title: str, note: str = "") -> str:
    """A card across the figure, with a title in its corner and a note in the other."""
    card = rectangle(MARGIN, y, width - 2 * MARGIN, height, "card", 10)
    corner = text(MARGIN + 16, y + 26, title, "h")
    return card + corner + (text(width - MARGIN - 16, y + 26, note, "s right") if note else "")
