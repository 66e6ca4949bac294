"""Muon on the matrices and AdamW on the rest, with a warm-up and a cosine down to a hundredth."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

ADAM_RATE = 2e-3  # for what is no matrix: biases, convolutions, the initial state
WARM_UP = 100  # steps
CLIP = 1.0  # greatest norm of the gradient


class Optimizer:
    """Two of torch's optimizers that step as one.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) gets in the same time to two thirds of the
    error of AdamW alone; three Newton-Schulz steps do as well as its usual five.
    """

    def __init__(self, module: nn.Module, rate: float, steps: int, share: float = 1.0):
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        matrices = [p for p in self.parameters if p.ndim == 2]
        rest = [p for p in self.parameters if p.ndim != 2]
        self.steps = steps
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=rate, weight_decay=0, ns_steps=3),
            torch.optim.AdamW(rest, lr=ADAM_RATE, weight_decay=0, fused=True),
        ]
        self.rates = [share * rate, share * ADAM_RATE]

    def clip(self) -> Float[Tensor, ""]:
        """Clip the gradients and return the norm that they had."""
        return nn.utils.clip_grad_norm_(self.parameters, CLIP)

    def step(self, step: int) -> float:
        """Apply the gradients, as step number `step` of the schedule, and forget them; Muon's learning rate."""
        share = min(1, (step + 1) / WARM_UP) * (0.505 + 0.495 * math.cos(math.pi * step / self.steps))
        for part, rate in zip(self.parts, self.rates, strict=True):
            part.param_groups[0]["lr"] = rate * share
            part.step()
            part.zero_grad()
        return self.rates[0] * share

    def state(self) -> dict[str, Tensor]:
        """Everything that the optimizers remember, as tensors by name."""
        return {
            f"{i}.{j}.{name}": value
            for i, part in enumerate(self.parts)
            for j, parameter in enumerate(part.param_groups[0]["params"])
            for name, value in part.state[parameter].items()
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        for name, value in state.items():
            i, j, key = name.split(".")
            part = self.parts[int(i)]
            part.state[part.param_groups[0]["params"][int(j)]][key] = value
