"""Losses of frames against displacement: what a policy would be told of a block so far from where it should be."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.decoder import EMPTY_LOGIT
from models.eye import centre_of_mass
from models.inner_eye import SMALL
from models.losses import target_distance
from sim_core.raster import render
from sim_core.world import World
from viewer.learning.parts import pixel_entropy, transport_distance

Loss = Callable[[Tensor, Tensor], Tensor]


def centroid_distance(
    frames: Float[Tensor, "*batch size size"], target: Float[Tensor, "*#batch size size"]
) -> Float[Tensor, " *batch"]:
    """From centroid to centroid of all mass, background and all, px."""
    return target_distance(centre_of_mass(frames, SMALL), centre_of_mass(target, SMALL))


LOSSES: dict[str, Loss] = {
    "pixel cross-entropy": pixel_entropy,
    "plain centroids": centroid_distance,
    "transport distance": transport_distance,
}
TARGET = (8.0, 16.0)  # px
DISPLACEMENTS = np.linspace(-5, 20, 501)  # px along x


class Curve(NamedTuple):
    """A loss and its slope at `DISPLACEMENTS`.

    The slope is over the pixel around: within a pixel a loss ripples with how the block covers the raster, which says
    nothing of where it should go.
    """

    loss: Float[np.ndarray, " displacements"]
    slope: Float[np.ndarray, " displacements"]

    @property
    def least_at(self) -> float:
        """The displacement (px) at which the loss is least, where it would leave the block."""
        return float(DISPLACEMENTS[self.loss.argmin()])

    def pull(self, displacement: float) -> float:
        """The slope there in shares of the steepest."""
        place = np.abs(DISPLACEMENTS - displacement).argmin()
        return float(self.slope[place] / np.abs(self.slope).max())


def curve(loss: Loss, world: World) -> Curve:
    """One loss of frames as a decoder begins, with a faint background, against a target as a person draws it."""

    def at(displacement: Float[np.ndarray, " displacements"]) -> Float[np.ndarray, " displacements"]:
        place = np.stack([TARGET[0] + displacement, np.full_like(displacement, TARGET[1])], axis=-1)
        faint = 1 / (1 + np.exp(-EMPTY_LOGIT))
        frames = torch.from_numpy(np.float32(faint + (1 - 2 * faint) * render(place, world)))
        return loss(frames, torch.from_numpy(render(np.array(TARGET), world))).numpy()

    return Curve(at(DISPLACEMENTS), at(DISPLACEMENTS + 0.5) - at(DISPLACEMENTS - 0.5))


def apart(world: World) -> float:
    """The share of random pairs of places at which two blocks do not overlap."""
    reach = world.block / (world.high - world.low)
    return 1 - (1 - (1 - reach) ** 2) ** 2
