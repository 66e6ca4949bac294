"""The figure of how the policy learns: through the dream of a frozen world model, and the policy's own network."""

from models.config import PolicyTraining, WorldModelConfig
from viewer.diagrams.drawing import (
    MARGIN,
    arrow,
    figure,
    images,
    joined,
    operation,
    panel,
    rectangle,
    row,
    shape,
    text,
    vector,
)
from viewer.diagrams.traced import Traced

WIDTH, HEIGHT = 1080, 772
TARGET, POLICY, CORE, EYE, PLACES, LOSS = 126, 196, 292, 372, 442, 516  # heights of what is in the dream
COLUMNS = (420.0, 580.0, 740.0, 964.0)  # of the first timesteps and of the last
DESCRIPTION = (
    "Above, a dream unrolled in time. Some observations are encoded and filtered into a state. At each timestep the "
    "policy gets the state, the latent of the target and its previous force, and puts out a force; the frozen world "
    "model imagines the next state, and the inner eye, a linear map, tells where the block would be seen. The loss is "
    "its distance to the target; the gradient flows back through eye and core into the policy alone. Below, the "
    "policy's network."
)


def policy_diagram(traced: Traced) -> str:
    """The SVG file."""
    parts = [
        text(MARGIN, 38, "The policy learns in the dream", "h"),
        rectangle(MARGIN, 56, WIDTH - 2 * MARGIN, 500, "card", 10),
    ]
    parts += [*_legend(), *_start(traced), *_timesteps(traced), *_network(traced)]
    return figure(WIDTH, HEIGHT, "The policy learns in the dream", DESCRIPTION, parts)


def _legend() -> list[str]:
    """What is trained, what is not, and where the gradient flows."""
    y = 82
    return [
        rectangle(546, y - 11, 18, 14, "force", 3) + text(572, y + 1, "trained", "s left"),
        rectangle(644, y - 11, 18, 14, "op", 3) + text(670, y + 1, "frozen world model", "s left"),
        arrow((814, y - 4), (856, y - 4)) + text(866, y + 1, "dream", "s left"),
        arrow((966, y - 4), (924, y - 4), colour="loss", dashed=True) + text(976, y + 1, "gradient", "s left"),
    ]


def _start(traced: Traced) -> list[str]:
    """What is given: the target and a few observations."""
    observation, latent = traced.inputs["model.encoder"], traced.outputs["model.encoder"]
    goal = row(2 * MARGIN, 236, TARGET + 4, [images(observation[1:], "target", "latent"), operation("encode")])
    several = f"1 to {WorldModelConfig().memory} observations"
    seen = row(2 * MARGIN, 300, CORE, [images(observation, several), operation("encode,", "filter")])
    path, lstm = (traced.outputs[f"model.core.imagining{part}"] for part in ("", ".lstm"))
    bus = arrow((240, TARGET + 4), (COLUMNS[-1], TARGET + 4), colour="latent", head=False)
    return [
        goal,
        bus,
        text(284, TARGET - 4, f"latent {shape(latent)}", "s left"),
        seen,
        text(258, CORE + 48, f"state: path {shape(path)}", "s"),
        text(258, CORE + 64, f"and the LSTM’s 2 × {shape(lstm)}", "s"),
    ]


def _timesteps(traced: Traced) -> list[str]:
    """The dream, timestep by timestep, and its loss."""
    training, force = PolicyTraining(), shape(traced.outputs["policy"])
    numbers = (*range(1, len(COLUMNS)), training.horizon)
    parts = [line for i in range(len(COLUMNS)) for line in (*_lines(i), *_gradient(i))]
    for i, (x, number) in enumerate(zip(COLUMNS, numbers, strict=True)):
        parts += [
            *_box(x, POLICY, 80, "policy", "force"),
            *_box(x, CORE, 96, "imagine", "op"),
            *_box(x, EYE, 88, "inner eye", "op"),
            *_place(x, PLACES, i),
            text(x + 8, (POLICY + CORE) / 2 + 4, f"force {force}", "s left"),
            text(x + 34, PLACES - 4, f"t = {number}", "s left"),
            text(x + 34, PLACES + 12, "place 2", "s left"),
        ]
    gap = (COLUMNS[-2] + COLUMNS[-1]) / 2
    for y in (POLICY, CORE, PLACES):
        parts.append(rectangle(gap - 20, y - 20, 40, 40, "gap", 0) + text(gap, y + 5, "…"))
    left, right = COLUMNS[0] - 60, COLUMNS[-1] + 60
    loss = f"distance to where the target is seen, mean over {training.horizon} timesteps and all dreams"
    return [
        *parts,
        rectangle(left, LOSS - 18, right - left, 38, "loss"),
        text((left + right) / 2, LOSS + 6, loss),
        text(2 * MARGIN, LOSS - 4, "No simulator takes part:", "s left"),
        text(2 * MARGIN, LOSS + 12, "the dream is all there is.", "s left"),
    ]


def _lines(i: int) -> list[str]:
    """What flows forward at a timestep, and into it from the one before."""
    x, before = COLUMNS[i], COLUMNS[i - 1] + 48 if i else 304
    lines = [
        arrow((x, TARGET + 4), (x, POLICY - 22), colour="latent"),
        arrow((before, CORE), (x - 52, CORE), colour="state"),
        arrow((x - 74, CORE), (x - 74, POLICY), (x - 42, POLICY), colour="state"),
        arrow((x, POLICY + 20), (x, CORE - 22), colour="force"),
        arrow((x, CORE + 20), (x, EYE - 22), colour="state"),
        arrow((x, EYE + 20), (x, PLACES - 28), colour="state"),
        arrow((x, PLACES + 26), (x, LOSS - 20)),
    ]
    return [*lines, arrow((COLUMNS[i - 1] + 42, POLICY - 8), (x - 42, POLICY - 8), colour="force")] if i else lines


def _gradient(i: int) -> list[str]:
    """What flows back at a timestep, beside what it flows through, and from it into the one before."""
    x = COLUMNS[i] - 34
    places = [
        ((x, LOSS - 18), (x, EYE + 22)),
        ((x, EYE - 20), (x, CORE + 22)),
        ((x, CORE - 20), (x, POLICY + 22)),
    ]
    if i:
        places.append(((COLUMNS[i] - 50, CORE + 12), (COLUMNS[i - 1] + 50, CORE + 12)))
    return [arrow(*ends, colour="loss", dashed=True) for ends in places]


def _box(x: float, y: float, width: float, word: str, kind: str) -> list[str]:
    """A box on the lines that end at it, with a word in it."""
    return [*(rectangle(x - width / 2, y - 20, width, 40, each) for each in ("gap", kind)), text(x, y + 5, word)]


def _place(x: float, y: float, nearer: int) -> list[str]:
    """A place in the box: that of the block, on its way to the target's, which it has reached in the last."""
    away = 27 - 9 * nearer
    return [
        rectangle(x - 26, y - 26, 52, 52, "guide", 3),
        rectangle(x + 11, y - 17, 7, 7, "latent", 3.5),
        rectangle(x + 11 - away, y - 17 + away, 7, 7, "state solid", 3.5),
    ]


def _network(traced: Traced) -> list[str]:
    """The policy's own network, a row from left to right."""
    made, given = traced.outputs, traced.inputs
    path, target, force = made["model.core.imagining"], made["model.encoder"], made["policy"]
    items = [
        joined(("path", path, "state"), ("target’s latent", target, "latent"), ("previous force", force, "force")),
        vector(given["policy.network"], "input", "state"),
        operation("linear, ReLU", kind="force"),
        vector(made["policy.network.0"], "hidden", "state"),
        operation("linear, ReLU", kind="force"),
        vector(made["policy.network.2"], "hidden", "state"),
        operation("linear, tanh", kind="force"),
        vector(made["policy"], "force", "force"),
    ]
    note = f"{traced.parameters['policy']:,} parameters"
    drawn = row(2 * MARGIN, WIDTH - 2 * MARGIN, 570 + 98, items)
    return [panel(570, WIDTH, 182, "The policy", note), drawn]
