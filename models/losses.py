"""What is learned from: frames against frames, latents against latents, and places against targets."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SHARPNESS = 0.2  # px, where the distance turns from a square into a line
EMPTY = 1e-6


def frame_loss(
    logits: Float[Tensor, "*batch size size"], frames: Float[Tensor, "*batch size size"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the pixels, and how far the mass lies from where it should, which has a gradient anywhere."""
    entropy = F.binary_cross_entropy_with_logits(logits, frames, reduction="none").sum((-1, -2))
    across, along = transport(torch.sigmoid(logits), frames)
    return 0.1 * entropy.mean() + (across + along).mean()


def latent_loss(
    imagined: Float[Tensor, "batch time latent"], encoded: Float[Tensor, "batch time latent"], delta: float, lost: float
) -> Float[Tensor, ""]:
    """`delta log(1 + error / delta)` of the root mean square; after a timestep that is off by `lost` the error is that.

    In a chaotic world gradients grow with the time ahead as errors do. The logarithm keeps the two in balance until the
    dream and the truth have no more to do with each other; from there on there would be nothing but noise, the more the
    longer the dream. So a dream that is lost teaches nothing more.
    """
    error = (imagined - encoded).norm(dim=-1) / imagined.shape[-1] ** 0.5
    followed = F.pad((error < lost).cumprod(1)[:, :-1], (1, 0), value=1)
    error = torch.where(followed == 1, error, lost)
    return (delta * torch.log1p(error / delta)).mean()


def expectation_loss(
    imagined: Float[Tensor, "batch time latent"], encoded: Float[Tensor, "batch time latent"]
) -> Float[Tensor, ""]:
    """The squared error, whose least is the mean: the best guess where the frames do not tell all.

    What cannot be known grows about as the time ahead, so that its square's weight makes each timestep count alike.
    """
    ahead = torch.arange(1, imagined.shape[1] + 1, device=imagined.device)
    weights = 1 / ahead.square()
    return ((imagined - encoded).square().mean((0, 2)) * weights).sum() / weights.sum()


def target_distance(place: Float[Tensor, "*batch 2"], target: Float[Tensor, "*#batch 2"]) -> Float[Tensor, " *batch"]:
    """How far a place is from a target, px: a square where it is near, so that the pull ends there."""
    return ((place - target).square().sum(-1) + SHARPNESS**2).sqrt()


def transport(
    a: Float[Tensor, "*batch size size"], b: Float[Tensor, "*#batch size size"]
) -> tuple[Float[Tensor, " *batch"], Float[Tensor, " *batch"]]:
    """1-D Wasserstein distances (px) of the normalised column sums and of the row sums of two images."""
    return _transport(a.sum(-2), b.sum(-2)), _transport(a.sum(-1), b.sum(-1))


def _transport(a: Tensor, b: Tensor) -> Tensor:
    difference = a / (a.sum(-1, keepdim=True) + EMPTY) - b / (b.sum(-1, keepdim=True) + EMPTY)
    return difference.cumsum(-1).abs().sum(-1)
