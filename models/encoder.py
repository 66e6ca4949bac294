"""Observations to latents: a convolution whose maps are read as expected coordinates (spatial soft-argmax).

Expected coordinates make the latent linear in position, with nothing known of what moves (Finn et al. 2016,
https://arxiv.org/abs/1509.06113), and kernels without negative weights make it exactly so: what a ReLU cuts from a map
moves its centre, by a hundredth of a pixel, which is as far as the truest dreams are off. Whoever has a background to
look past needs the negative weights and the ReLU back. Nothing else is read from the maps: their mass or a network
behind the coordinates only bends the latents, and dreams of bent latents go astray sooner. Nor are they stretched: a
rotation that is drawn once gives each latent something of all coordinates. Trained along with the decoder it stretched
accelerations tenfold against positions, and dreams learned from such latents were off by a tenth to a fifth more.

Without a ReLU the maps need not be made. The sums of what is convolved, and the moments, follow from those of frames
and kernels alone: a map's centre is that of a frame moved by that of a kernel, and several frames' are weighted by
their masses. That is the same to rounding, in a hundredth of the time.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig

KERNEL = 5
SMALL = 1e-3  # mass below which a map counts as empty: its expected coordinates tend to the centre


class Encoder(nn.Module):
    """Encode the frames of one timestep, as channels, into one latent vector."""

    pixels: Tensor
    taps: Tensor

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        # Full padding: a block at the wall leaves its whole response in the map, so that coordinates stay linear there.
        self.convolution = nn.Conv2d(config.frames, config.maps, KERNEL, padding=KERNEL - 1, bias=False)
        self.linear = nn.Linear(2 * config.maps, config.latent)
        nn.init.orthogonal_(self.linear.weight).requires_grad_(False)
        side = config.size + KERNEL - 1
        step = 2 * side / config.size / (side - 1)  # from a pixel of a map to the next, half a frame's side being 1
        with torch.device("cpu"):  # of the device "meta" PyTorch would load another second of itself to compute this
            self.register_buffer("pixels", step * _from_the_middle(config.size), persistent=False)
            # What a kernel's last tap sees it shows where its first is: a kernel moves its image the other way round.
            self.register_buffer("taps", -step * _from_the_middle(KERNEL), persistent=False)

    def forward(self, observation: Float[Tensor, "batch frames size size"]) -> Float[Tensor, "batch latent"]:
        mass, across, along = _moments(observation, self.pixels)
        weight, moved_across, moved_along = (part.T for part in _moments(self.convolution.weight.abs(), self.taps))
        scale = 1 / (mass @ weight + SMALL)
        columns = across @ weight + mass @ moved_across
        rows = along @ weight + mass @ moved_along
        return self.linear(torch.cat([columns * scale, rows * scale], 1))


def _from_the_middle(pixels: int) -> Float[Tensor, " pixels"]:
    return torch.arange(pixels) - (pixels - 1) / 2


def _moments(
    images: Float[Tensor, "*batch size size"], coordinates: Float[Tensor, " size"]
) -> tuple[Float[Tensor, " *batch"], Float[Tensor, " *batch"], Float[Tensor, " *batch"]]:
    """The sum of each image's pixels, and their sums weighted by the coordinates of the columns and of the rows."""
    columns, rows = images.sum(-2), images.sum(-1)
    return rows.sum(-1), columns @ coordinates, rows @ coordinates
