"""The figure of the world model: encoder, recurrent core and decoder, each a row from left to right."""

from models.encoder import KERNEL
from viewer.diagrams.drawing import MARGIN, figure, images, joined, operation, panel, row, shape, text, vector
from viewer.diagrams.traced import Traced

WIDTH, ROW, GAP = 1080, 176, 14
DESCRIPTION = (
    "The world model as four rows. The encoder turns an observation into a latent. One branch of the recurrent core "
    "takes an observation's latent and its force into the state, another moves the state on by a force alone. The "
    "decoder turns a latent into frames."
)


def network_diagram(traced: Traced) -> str:
    """The SVG file."""
    given, made, parameters = traced.inputs, traced.outputs, traced.parameters
    encoder, core, decoder = "model.encoder", "model.core", "model.decoder"
    observing, imagining, axis = f"{core}.observing", f"{core}.imagining", f"{decoder}.axes.0"
    latent, path = made[encoder], made[observing]
    force = given["model.core.imagining"][0] - path[0]
    (features,), side = given[f"{encoder}.linear"], given[encoder][-1] + KERNEL - 1
    axes = sum(f"{decoder}.axes.{i}" in made for i in range(9))
    rows = [
        (
            "Encoder: what is seen",
            encoder,
            [
                images(given[encoder], "observation"),
                operation(f"convolution {KERNEL} × {KERNEL}", "no negative weights"),
                images((features // 2, side, side), "maps", moving=False),
                operation("expected x, y", "of each, by sums"),
                vector(given[f"{encoder}.linear"], "features", "image"),
                operation("linear"),
                vector(latent, "latent", "latent"),
            ],
        ),
        (
            "Core, observing: takes in what was seen, from a learned initial state on",
            observing,
            [
                joined(("latent", latent, "latent"), ("force", (force,), "force"), ("path", path, "state")),
                vector(given[f"{observing}.lstm"], "input", "state"),
                operation("LSTM cell", f"of {shape(made[f'{observing}.lstm'])}", recurrent=True),
                vector(given[f"{observing}.linear"], "input, output", "state"),
                operation("linear", _mlp(traced, observing)),
                vector(path, "path", "state"),
            ],
        ),
        (
            "Core, imagining: moves on by a timestep, on a force alone",
            imagining,
            [
                joined(("path", path, "state"), ("force", (force,), "force")),
                vector(given[f"{imagining}.lstm"], "input", "state"),
                operation("LSTM cell", f"of {shape(made[f'{imagining}.lstm'])}", recurrent=True),
                vector(given[f"{imagining}.linear"], "input, output", "state"),
                operation("path + linear", _mlp(traced, imagining)),
                vector(made[imagining], "path", "state"),
                operation("linear"),
                vector(made[f"{core}.read"], "latent", "latent"),
            ],
        ),
        (
            "Decoder: what is imagined, as frames",
            decoder,
            [
                vector(given[decoder], "latent", "latent"),
                operation("linear", f"+ linear of {shape(given[f'{axis}.from_coordinate'])}", "coordinates, ReLU"),
                images((axes, *made[f"{axis}.from_coordinate"]), "for each axis", "latent", moving=False),
                operation("linear"),
                images((axes, *made[axis]), "for each axis", "latent", moving=False),
                operation("outer products,", f"sum over {made[axis][-1]}, sigmoid"),
                images(made[decoder], "frames"),
            ],
        ),
    ]
    parts = [text(MARGIN, 38, "The world model", "h")]
    parts.append(text(WIDTH - MARGIN, 38, f"{parameters['model']:,} parameters", "s right"))
    top = 56.0
    for title, module, items in rows:
        parts.append(panel(top, WIDTH, ROW, title, f"{parameters[module]:,} parameters"))
        parts.append(row(2 * MARGIN, WIDTH - 2 * MARGIN, top + 92, items))
        top += ROW + GAP
    return figure(WIDTH, int(top - GAP + MARGIN), "The world model", DESCRIPTION, parts)


def _mlp(traced: Traced, branch: str) -> str:
    """How many hidden layers of how many units the residual branch has."""
    first = f"{branch}.mlp.0"
    depth = sum(name.startswith(f"{branch}.mlp.") for name in traced.outputs) // 2
    return f"+ MLP, {depth} × {shape(traced.outputs[first])}"
