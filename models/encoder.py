"""Observations to latents: a convolution whose maps are read as expected coordinates (spatial soft-argmax).

Expected coordinates make the latent linear in position to a hundredth of a pixel, with nothing known of what moves
(Finn et al. 2016, https://arxiv.org/abs/1509.06113).
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
        side = config.size + KERNEL - 1
        self.register_buffer(
            "coordinates", torch.linspace(-side / config.size, side / config.size, side), persistent=False
        )
        features = 3 * config.maps
        self.linear = nn.Linear(features, config.latent)
        self.mlp = nn.Sequential(nn.Linear(features, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.latent))

    def forward(self, observation: Float[Tensor, "batch frames size size"]) -> Float[Tensor, "batch latent"]:
        maps = torch.relu(self.convolution(observation))
        rows, columns = maps.sum(-1), maps.sum(-2)
        mass = rows.sum(-1)
        scale = 1 / (mass + SMALL)
        features = torch.cat(
            [(columns @ self.coordinates) * scale, (rows @ self.coordinates) * scale, torch.log1p(mass)], 1
        )
        return self.linear(features) + self.mlp(features)
