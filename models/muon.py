"""Muon for matrices of one size at once, with two iterations in place of its five.

Muon steps along the polar factor of the momentum (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/),
which iterations of a quintic approach. Fewer do where rows are scaled first, by what bounds the singular values more
tightly than their norm (Boissin et al. 2025, https://arxiv.org/abs/2512.04632), and where each quintic is the best for
what the one before it left (Amsel et al. 2025, https://arxiv.org/abs/2505.16932): from two, dreams learn sooner than
from three of Muon's own.

Matrices whose shorter sides are alike lie flat in one stack, padded with zeros, which stay zero.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOMENTUM = 0.95
QUINTICS = (  # coefficients of x, x³ and x⁵: singular values from 0.05 to 1 come within 0.22 of 1
    (6.753, -18.3528, 13.2643),
    (2.5383, -1.8751, 0.4413),
)
SMALL = 1e-30  # a square that is as good as none


class Muon:
    """Muon without weight decay, with Nesterov's momentum.

    Attributes:
        rate: the learning rate, which whoever changes it writes to.
        state: of each matrix its "momentum_buffer", as in `torch.optim.Muon`.
    """

    def __init__(self, matrices: Sequence[nn.Parameter], rate: Float[Tensor, ""]):
        def shorter_side(matrix: Tensor) -> int:
            # On a GPU it is the number of operations that costs, so that there all matrices are of one size.
            return 0 if rate.is_cuda else min(matrix.shape)

        alike = groupby(sorted(matrices, key=shorter_side), key=shorter_side)
        self.stacks = [Stack(list(those), rate) for _, those in alike]
        momenta = {one: part for stack in self.stacks for one, part in stack.momenta()}
        self.state: dict[Any, dict[str, Tensor]] = {one: {"momentum_buffer": momenta[one]} for one in matrices}
        self.param_groups: list[dict[str, Any]] = [{"params": list(matrices)}]

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients."""
        for stack in self.stacks:
            stack.step()


class Stack:
    """Matrices that are stepped as one."""

    def __init__(self, matrices: list[nn.Parameter], rate: Float[Tensor, ""]):
        self.matrices: list[Tensor] = list(matrices)
        self.rate = rate
        flat = [tuple(sorted(matrix.shape)) for matrix in matrices]
        size = (len(flat), max(rows for rows, _ in flat), max(columns for _, columns in flat))
        self.gradients, self.momentum = torch.zeros(2, *size, device=rate.device)
        self.gradient_parts = self._parts(self.gradients)
        stretch = [max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5 for matrix in matrices]
        self.stretch = torch.tensor(stretch, device=rate.device)[:, None, None]

    def momenta(self) -> list[tuple[Tensor, Tensor]]:
        """Each matrix with its momentum."""
        return list(zip(self.matrices, self._parts(self.momentum), strict=True))

    def step(self) -> None:
        """Apply the gradients."""
        gradients = [matrix.grad for matrix in self.matrices]
        torch._foreach_copy_(self.gradient_parts, gradients)  # type: ignore[arg-type]  # the loss reaches every matrix
        self.momentum.lerp_(self.gradients, 1 - MOMENTUM)
        step = orthogonal(self.gradients.lerp(self.momentum, MOMENTUM))
        torch._foreach_add_(self.matrices, self._parts(step * (self.stretch * self.rate)), alpha=-1)

    def _parts(self, stack: Float[Tensor, "count rows columns"]) -> list[Tensor]:
        """Of each matrix what the stack holds of it, in its own shape."""
        return [
            part[: shape[0], : shape[1]] if shape[0] <= shape[1] else part[: shape[1], : shape[0]].T
            for part, shape in zip(stack, (matrix.shape for matrix in self.matrices), strict=True)
        ]


def orthogonal(matrices: Float[Tensor, "count rows columns"]) -> Float[Tensor, "count rows columns"]:
    """Roughly the polar factors of the matrices: their rows turned apart, of about one length; no more than columns.

    On a GPU in bfloat16, whose products are faster there; on a processor those of float32 take no longer.
    """
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    gram = x @ x.mT
    scale = gram.abs().sum(2, keepdim=True).clamp(min=SMALL).rsqrt()  # then no singular value is above 1
    x, gram = x * scale, gram * scale * scale.mT
    x = _quintic(x, gram, *QUINTICS[0])
    for coefficients in QUINTICS[1:]:
        x = _quintic(x, x @ x.mT, *coefficients)
    return x.to(matrices.dtype)


def _quintic(x: Tensor, gram: Tensor, a: float, b: float, c: float) -> Tensor:
    return torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
