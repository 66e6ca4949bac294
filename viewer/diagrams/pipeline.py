"""The figure of the pipeline, from its compiled file: the steps, and which of them takes in what another puts out."""

from collections.abc import Mapping
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple

from viewer.diagrams.drawing import COLOURS, MARGIN, SANS, SMALL, arrow, figure, rectangle, text

WIDTH = 1080
TOP, BOX, LANES, LANE = 82.0, 70.0, 196.0, 44.0  # px: the boxes and their height, the first lane, and to the next
DESCRIPTION = "The steps from left to right. Below, a line for what a step puts out, to the steps that take it in."


class Step(NamedTuple):
    """A task of the pipeline, or a loop of some.

    Attributes:
        words: its name.
        parallel: whether it runs once for each of many.
        outputs: names of what it puts out, as its consumers refer to it.
        sources: (task, name) of what it takes in.
        after: the tasks that it waits for.
    """

    words: list[str]
    parallel: bool
    outputs: dict[str, str]
    sources: set[tuple[str, str]]
    after: set[str]


def pipeline_diagram(spec: Mapping[str, Any]) -> str:
    """The SVG file, from the PipelineSpec as plain data."""
    steps = {name: _step(spec, name, task) for name, task in spec["root"]["dag"]["tasks"].items()}
    order = list(TopologicalSorter({name: sorted(step.after) for name, step in sorted(steps.items())}).static_order())
    column = (WIDTH - 2 * MARGIN) / len(order)
    middle = {name: MARGIN + column * (i + 0.5) for i, name in enumerate(order)}
    lanes = [(name, consumers, names) for name in order for consumers, names in _lanes(steps, name)]
    bottom = LANES + LANE * (len(lanes) - 1) + 28
    parts = [text(MARGIN, 38, f"The pipeline “{spec['pipelineInfo']['name']}”", "h"), *_legend()]
    parts.append(rectangle(MARGIN, 52, WIDTH - 2 * MARGIN, bottom - 52, "card", 10))
    for before, after in pairwise(order):
        if before in steps[after].after:
            between, y = (middle[before] + middle[after]) / 2, TOP + BOX / 2
            parts.append(arrow((between - 14, y), (between + 14, y)))
    for name in order:
        parts.append(f'<path class="guide" d="M{middle[name]:g} {TOP + BOX:g}V{bottom:g}"/>')
        parts.append(_box(steps[name], middle[name], column - 32))
    for i, (name, consumers, names) in enumerate(lanes):
        colour = COLOURS[order.index(name) % len(COLOURS)]
        parts += _lane(LANES + LANE * i, colour, ", ".join(names), middle[name], [middle[c] for c in consumers])
    return figure(WIDTH, int(bottom + MARGIN), "The pipeline", DESCRIPTION, parts)


def _step(spec: Mapping[str, Any], name: str, task: Mapping[str, Any]) -> Step:
    component = spec["components"][task["componentRef"]["name"]]
    outputs = {key: key for kind in component.get("outputDefinitions", {}).values() for key in kind}
    words = name
    if "dag" in component:
        words = " ".join(component["dag"]["tasks"])
        for kind in component["dag"].get("outputs", {}).values():
            for key, inner in kind.items():
                outputs[key] = inner["artifactSelectors"][0]["outputArtifactKey"]
    sources = set()
    for kind, inputs in task.get("inputs", {}).items():
        which = kind.removesuffix("s").capitalize()
        for given in inputs.values():
            if source := given.get(f"taskOutput{which}"):
                sources.add((source["producerTask"], source[f"output{which}Key"]))
    parallel = "parameterIterator" in task or "artifactIterator" in task
    return Step(words.replace("-", " ").split(), parallel, outputs, sources, set(task.get("dependentTasks", ())))


def _lanes(steps: Mapping[str, Step], producer: str) -> list[tuple[list[str], list[str]]]:
    """What a step puts out, as consumers and names: one lane for all that has one consumer each, one for all that has
    none, and one for each thing that several share."""
    by_consumers: dict[tuple[str, ...], list[str]] = {}
    for key, name in steps[producer].outputs.items():
        consumers = tuple(other for other, step in steps.items() if (producer, key) in step.sources)
        by_consumers.setdefault(consumers, []).append(name)
    alone = [consumers for consumers in by_consumers if len(consumers) == 1]
    groups = [(list(consumers), names) for consumers, names in by_consumers.items() if len(consumers) != 1]
    if alone:
        together = [name for consumers in alone for name in by_consumers[consumers]]
        groups.insert(0, ([consumer for consumers in alone for consumer in consumers], together))
    return groups


def _box(step: Step, x: float, width: float) -> str:
    """The step, as a stack of boxes if it runs in parallel."""
    behind = (10, 5, 0) if step.parallel else (0,)
    drawn = "".join(rectangle(x - width / 2 + d, TOP - d, width, BOX, "op") for d in behind)
    lines = [""]
    for word in step.words:
        if len(f"{lines[-1]} {word}") * SANS > width - 8:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    top = TOP + BOX / 2 - 10 * (len(lines) - 1) + 5
    return drawn + "".join(text(x, top + 20 * i, line) for i, line in enumerate(lines))


def _lane(y: float, colour: str, names: str, producer: float, consumers: list[float]) -> list[str]:
    """What a step puts out: a square at it, and a line to the circles of those that take it in."""
    to_the_left = producer + len(names) * SMALL > WIDTH - MARGIN
    label = text(producer + (-12 if to_the_left else 12), y - 8, names, f"p on {'right' if to_the_left else 'left'}")
    line = arrow((producer, y), (max([producer, *consumers]), y), colour=colour, head=False)
    return [line, label, _square(producer, y, colour), *(_circle(x, y, colour) for x in consumers)]


def _square(x: float, y: float, colour: str) -> str:
    return rectangle(x - 6, y - 6, 12, 12, f"{colour} solid", 3)


def _circle(x: float, y: float, colour: str) -> str:
    return "".join(f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="6"/>' for kind in ("paper", colour))


def _legend() -> list[str]:
    y = 34
    return [
        _square(750, y, "grey") + text(764, y + 4, "puts out", "s left"),
        _circle(844, y, "grey") + text(858, y + 4, "takes in", "s left"),
        text(WIDTH - MARGIN, y + 4, "stacked: in parallel", "s right"),
    ]
