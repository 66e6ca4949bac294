"""Latents to frames: two networks over the coordinate of an axis, joined by outer products.

A spatial-broadcast decoder (Watters et al. 2019, https://arxiv.org/abs/1901.07017) kept separable: it costs the sum of
the two axes, not their product, and any image of low rank is within its reach.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig

WAVES = 6  # sines and cosines of the coordinate, at 1 to 2**(WAVES - 1) half turns across the frame
EMPTY_LOGIT = -8.0  # the background at the start of training; at -7 its mass displaces a centroid by half a pixel


class Decoder(nn.Module):
    """Decode a latent vector into the logits of the frames of one timestep."""

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        self.frames, self.rank = config.frames, config.rank
        with torch.device("cpu"):  # as in the encoder
            position = torch.linspace(-1, 1, config.size)
            waves = math.pi / 2 * position[:, None] * 2.0 ** torch.arange(WAVES)
            features = torch.cat([position[:, None], waves.sin(), waves.cos()], 1)
        self.register_buffer("features", features, persistent=False)
        self.axes = nn.ModuleList(Axis(config, features.shape[1]) for _ in range(2))
        self.bias = nn.Parameter(torch.full((config.frames, 1, 1), EMPTY_LOGIT))

    def forward(self, latent: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch frames size size"]:
        columns, rows = (axis(latent, self.features) for axis in self.axes)
        return torch.einsum("...ifk,...jfk->...fij", rows, columns) + self.bias


class Axis(nn.Module):
    """The factors of one axis: for each coordinate, frame and rank one number."""

    def __init__(self, config: WorldModelConfig, features: int):
        super().__init__()
        self.from_latent = nn.Linear(config.latent, config.hidden)
        self.from_coordinate = nn.Linear(features, config.hidden, bias=False)
        self.out = nn.Linear(config.hidden, config.frames * config.rank)
        self.shape = (config.frames, config.rank)

    def forward(self, latent, features):
        hidden = torch.relu(self.from_latent(latent)[..., None, :] + self.from_coordinate(features))
        return self.out(hidden).unflatten(-1, self.shape)
