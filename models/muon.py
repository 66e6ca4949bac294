"""Muon for all matrices at once, for GPUs: torch's own takes one after the other, in 25 operations each.

The same update as `torch.optim.Muon`'s (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/), with the
matrices laid flat and padded with zeros to one shape, which orthogonalisation leaves zero.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic whose slope at zero is steepest
SMALL = 1e-7


class StackedMuon:
    """Muon without weight decay, with Nesterov's momentum.

    Attributes:
        rate: the learning rate, which whoever changes it writes to.
        state: of each matrix its "momentum_buffer", as in torch's.
    """

    def __init__(self, matrices: Sequence[nn.Parameter], rate: Float[Tensor, ""], newton_schulz_steps: int):
        self.matrices: list[Tensor] = list(matrices)
        self.rate, self.steps = rate, newton_schulz_steps
        flat = [tuple(sorted(matrix.shape)) for matrix in matrices]
        size = (len(flat), max(rows for rows, _ in flat), max(columns for _, columns in flat))
        self.gradients, self.momentum = torch.zeros(2, *size, device=rate.device)
        stretch = [max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5 for matrix in matrices]
        self.stretch = torch.tensor(stretch, device=rate.device)[:, None, None]
        momenta = self._parts(self.momentum)
        self.state: dict[Any, dict[str, Tensor]] = {
            one: {"momentum_buffer": part} for one, part in zip(matrices, momenta, strict=True)
        }
        self.param_groups: list[dict[str, Any]] = [{"params": self.matrices}]

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients."""
        for there, matrix in zip(self._parts(self.gradients), self.matrices, strict=True):
            there.copy_(matrix.grad)  # type: ignore[arg-type]  # the loss reaches every matrix
        self.momentum.lerp_(self.gradients, 1 - MOMENTUM)
        step = orthogonal(self.gradients.lerp(self.momentum, MOMENTUM), self.steps).float()
        for matrix, change in zip(self.matrices, self._parts(step * (self.stretch * self.rate)), strict=True):
            matrix.sub_(change)

    def _parts(self, stack: Float[Tensor, "count rows columns"]) -> list[Tensor]:
        """Of each matrix what the stack holds of it, in its own shape."""
        return [
            part[: shape[0], : shape[1]] if shape[0] <= shape[1] else part[: shape[1], : shape[0]].T
            for part, shape in zip(stack, (matrix.shape for matrix in self.matrices), strict=True)
        ]


def orthogonal(matrices: Float[Tensor, "count rows columns"], steps: int) -> Float[Tensor, "count rows columns"]:
    """The matrices with singular values near 1, by Newton-Schulz iterations in bfloat16; no more rows than columns."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=SMALL)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x
