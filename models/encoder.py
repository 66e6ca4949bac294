"""Observations to latents: a convolution whose maps are read as expected coordinates (spatial soft-argmax).

Expected coordinates make the latent linear in position, with nothing known of what moves (Finn et al. 2016,
https://arxiv.org/abs/1509.06113), and kernels without negative weights make it exactly so: what a ReLU cuts from a map
moves its centre, by a hundredth of a pixel, which is as far as the truest dreams are off. Whoever has a background to
look past needs the negative weights and the ReLU back. Nothing else is read from the maps: their mass or a network
behind the coordinates only bends the latents, and dreams of bent latents go astray sooner.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig

KERNEL = 5
SMALL = 1e-3  # mass below which a map counts as empty: its expected coordinates tend to the centre


class Encoder(nn.Module):
    """Encode the frames of one timestep, as channels, into one latent vector."""

    coordinates: Tensor

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        self.convolution = PositiveConvolution(config.frames, config.maps)
        side = config.size + KERNEL - 1
        self.register_buffer(
            "coordinates", torch.linspace(-side / config.size, side / config.size, side), persistent=False
        )
        self.linear = nn.Linear(2 * config.maps, config.latent)

    def forward(self, observation: Float[Tensor, "batch frames size size"]) -> Float[Tensor, "batch latent"]:
        maps = self.convolution(observation)
        rows, columns = maps.sum(-1), maps.sum(-2)
        scale = 1 / (rows.sum(-1) + SMALL)
        expected = torch.cat([(columns @ self.coordinates) * scale, (rows @ self.coordinates) * scale], 1)
        return self.linear(expected)


class PositiveConvolution(nn.Conv2d):
    """A convolution with the absolute values of its weights, so that what is not negative stays so."""

    def __init__(self, channels: int, maps: int):
        # Full padding: a block at the wall leaves its whole response in the map, so that coordinates stay linear there.
        super().__init__(channels, maps, KERNEL, padding=KERNEL - 1, bias=False)

    def forward(self, images: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch maps h2 w2"]:
        return F.conv2d(images, self.weight.abs(), padding=self.padding)
