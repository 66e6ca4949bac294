"""Muon, preconditioned along the inputs, for matrices of one size at once, with two iterations in place of its five.

Muon steps along the polar factor of the momentum (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/),
which iterations of a quintic approach. Fewer do where rows are scaled first, by what bounds the singular values more
tightly than their norm (Boissin et al. 2025, https://arxiv.org/abs/2512.04632), and where each quintic is the best for
what the one before it left (Amsel et al. 2025, https://arxiv.org/abs/2505.16932): from two, dreams learn sooner than
from three of Muon's own.

What a matrix reads varies a hundred times as much in one direction as in another, and what little varies there is the
motion within a timestep. So a matrix is stepped as if it read that halfway whitened: its gradient is multiplied by the
inverse fourth root of what gradients are like along the inputs, which is one side of Shampoo's (Gupta et al. 2018,
https://arxiv.org/abs/1802.09568), and so is the polar factor. In as many steps a laptop's dreams are a fifth truer.

Matrices whose shorter sides are alike lie flat in one stack, padded with zeros, which stay zero.
"""

import math
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
MEMORY = 0.98  # of the gradients' second moments from one step to the next
DAMPING = 1e-4  # added to second moments whose mean is 1: no direction of the inputs is stretched by more than 10
GROWTH = 1.1  # steps to a renewal of the preconditioners over those to the one before
LONGEST = 250  # steps from one to the next, or they would be out of date for thousands when the horizon grows


class Muon:
    """Muon without weight decay, with Nesterov's momentum.

    Attributes:
        rate: the learning rate, which whoever changes it writes to.
        state: of each matrix its "momentum_buffer", as in `torch.optim.Muon`, the "second_moment" of its gradients
            along the inputs, up to a factor, and the "preconditioner" that was made of it.
    """

    def __init__(self, matrices: Sequence[nn.Parameter], rate: Float[Tensor, ""]):
        def shorter_side(matrix: Tensor) -> int:
            # On a GPU it is the number of operations that costs, so that there all matrices are of one size.
            return 0 if rate.is_cuda else min(matrix.shape)

        alike = groupby(sorted(matrices, key=shorter_side), key=shorter_side)
        self.stacks = [Stack(list(those), rate) for _, those in alike]
        states = {one: state for stack in self.stacks for one, state in stack.states()}
        self.state: dict[Any, dict[str, Tensor]] = {one: states[one] for one in matrices}
        self.param_groups: list[dict[str, Any]] = [{"params": list(matrices)}]

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients."""
        for stack in self.stacks:
            stack.step()

    def renew(self) -> None:
        """Make the preconditioners anew, of what the gradients were like until now."""
        for state in self.state.values():
            state["preconditioner"].copy_(inverse_fourth_root(state["second_moment"]))


class Stack:
    """Matrices that are stepped as one."""

    def __init__(self, matrices: list[nn.Parameter], rate: Float[Tensor, ""]):
        self.matrices: list[Tensor] = list(matrices)
        self.rate = rate
        flat = [tuple(sorted(matrix.shape)) for matrix in matrices]
        size = (len(flat), max(rows for rows, _ in flat), max(columns for _, columns in flat))
        self.gradients, self.momentum = torch.zeros(2, *size, device=rate.device)
        self.gradient_parts = self._parts(self.gradients)
        inputs = [matrix.shape[1] for matrix in matrices]
        self.second_moments = [torch.zeros(n, n, device=rate.device) for n in inputs]
        self.preconditioners = [torch.eye(n, device=rate.device) for n in inputs]
        stretch = [max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5 for matrix in matrices]
        self.stretch = torch.tensor(stretch, device=rate.device)[:, None, None]

    def states(self) -> list[tuple[Tensor, dict[str, Tensor]]]:
        """Each matrix with what is remembered of it."""
        parts = zip(self._parts(self.momentum), self.second_moments, self.preconditioners, strict=True)
        names = ("momentum_buffer", "second_moment", "preconditioner")
        return [(one, dict(zip(names, each, strict=True))) for one, each in zip(self.matrices, parts, strict=True)]

    def step(self) -> None:
        """Apply the gradients."""
        gradients = [matrix.grad for matrix in self.matrices]
        torch._foreach_copy_(self.gradient_parts, gradients)  # type: ignore[arg-type]  # the loss reaches every matrix
        for moment, gradient in zip(self.second_moments, self.gradient_parts, strict=True):
            moment.addmm_(gradient.T, gradient, beta=MEMORY)
        self.momentum.lerp_(self.gradients, 1 - MOMENTUM)
        step = self.gradients.lerp(self.momentum, MOMENTUM)
        for part, by in zip(self._parts(step), self.preconditioners, strict=True):
            part.copy_(part @ by)
        step = orthogonal(step) * (self.stretch * self.rate)
        for matrix, part, by in zip(self.matrices, self._parts(step), self.preconditioners, strict=True):
            matrix.addmm_(part, by, alpha=-1)

    def _parts(self, stack: Float[Tensor, "count rows columns"]) -> list[Tensor]:
        """Of each matrix what the stack holds of it, in its own shape."""
        return [
            part[: shape[0], : shape[1]] if shape[0] <= shape[1] else part[: shape[1], : shape[0]].T
            for part, shape in zip(stack, (matrix.shape for matrix in self.matrices), strict=True)
        ]


def due(step: int) -> bool:
    """Whether preconditioners are renewed before a step: often at first, when gradients change soon, later less so."""
    if step * (GROWTH - 1) > LONGEST:
        return step % LONGEST == 0
    return step > 0 and (step == 1 or int(math.log(step, GROWTH)) > int(math.log(step - 1, GROWTH)))


@torch.no_grad()
def inverse_fourth_root(moment: Float[Tensor, "inputs inputs"]) -> Float[Tensor, "inputs inputs"]:
    """The inverse fourth root of a second moment, scaled and damped; the identity where it is 0 or not finite."""
    # On a processor: a GPU takes longer for matrices of this size.
    moment = moment.double().cpu()
    if not SMALL < moment.diagonal().mean().item() < math.inf:  # of what is not finite, the training tells
        return torch.eye(len(moment))
    values, axes = torch.linalg.eigh(moment)
    stretch = (values.clamp(min=0) / values.mean() + DAMPING) ** -0.25
    return (axes * stretch @ axes.T).float()


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
