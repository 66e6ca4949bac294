"""Observations to latents: a convolution whose maps are read as expected coordinates (spatial soft-argmax).

Expected coordinates make the latent linear in position to a hundredth of a pixel, with nothing known of what moves
(Finn et al. 2016, https://arxiv.org/abs/1509.06113). Nothing else is read from the maps: their mass or a network behind
the coordinates only bends the latents, and dreams of bent latents go astray sooner.
"""

import torch
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
        # Full padding: a block at the wall leaves its whole response in the map, so that coordinates stay linear there.
        self.convolution = nn.Conv2d(config.frames, config.maps, KERNEL, padding=KERNEL - 1)
        # What no ReLU cuts is linear in the positions, and kernels that begin without negative weights stay almost so:
        # positions are then read from the latents twice as exactly, to .006 px.
        weight, bias = self.convolution.parameters()
        nn.init.zeros_(bias)
        with torch.no_grad():
            weight.abs_()
        side = config.size + KERNEL - 1
        self.register_buffer(
            "coordinates", torch.linspace(-side / config.size, side / config.size, side), persistent=False
        )
        self.linear = nn.Linear(2 * config.maps, config.latent)

    def forward(self, observation: Float[Tensor, "batch frames size size"]) -> Float[Tensor, "batch latent"]:
        maps = torch.relu(self.convolution(observation))
        rows, columns = maps.sum(-1), maps.sum(-2)
        scale = 1 / (rows.sum(-1) + SMALL)
        expected = torch.cat([(columns @ self.coordinates) * scale, (rows @ self.coordinates) * scale], 1)
        return self.linear(expected)
