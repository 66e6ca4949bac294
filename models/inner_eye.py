"""Where what is dreamed would be seen: a linear map from latents to the centroid of the last frame.

The encoder reads frames as expected coordinates, so that their centroids are in its latents. With as many maps and
numbers as tell the frames of a timestep apart, nothing but a linear map is needed to read the last one's to a hundredth
of a pixel. So whoever scores a dream by where the block is need not decode it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from models.eye import centre_of_mass
from models.world_model import WorldModel

DOUBT = 3e-3  # what each number of a dreamed latent is taken to be off by: of what varies less nothing is read
SMALL = 1e-6  # mass that an empty frame counts as


class InnerEye:
    """Fitted to what a world model makes of some observations; they may show anything of one mass.

    It tells the centroid of all mass. That of what is visible, by which dreams are judged, is no linear map.
    """

    @torch.no_grad()
    def __init__(self, model: WorldModel, observations: Float[Tensor, "batch frames size size"]):
        latents = model.encode(observations)
        x, y = (each.double().cpu() for each in (latents, centre_of_mass(observations[:, -1], SMALL)))
        mean = x.mean(0)
        covariance = (x - mean).T @ (x - mean) / len(x) + DOUBT**2 * torch.eye(x.shape[1], dtype=x.dtype)
        weight = torch.linalg.solve(covariance, (x - mean).T @ y / len(x))
        self.weight, self.bias = (part.to(latents) for part in (weight, y.mean(0) - mean @ weight))

    def __call__(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch 2"]:
        """Column and row (px) of the centroid."""
        return latents @ self.weight + self.bias
