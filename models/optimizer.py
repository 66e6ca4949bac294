"""Muon on the matrices and AdamW on the rest, with a warm-up and a cosine down to a hundredth."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.muon import Muon, due

ADAM_RATE = 2e-3  # for what is no matrix: biases, convolutions, the initial state
WARM_UP = 100  # steps
CLIP = 1.0  # greatest norm of the gradient


class Optimizer:
    """Two optimizers that step as one. Muon gets in the same time to two thirds of the error of AdamW alone."""

    def __init__(self, module: nn.Module, rate: float, steps: int, share: float = 1.0):
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        matrices = [p for p in self.parameters if p.ndim == 2]
        rest = [p for p in self.parameters if p.ndim != 2]
        device = self.parameters[0].device
        self.steps, self.greatest = steps, (share * rate, share * ADAM_RATE)
        # Steps on a GPU are recorded and replayed: what changes from one to the next lies in its memory.
        muon_rate, adam_rate = self.rates = torch.zeros(2, device=device).unbind()
        self.muon = Muon(matrices, muon_rate)
        adam = torch.optim.AdamW(rest, lr=adam_rate, weight_decay=0, fused=True, capturable=device.type == "cuda")
        self.both: tuple[Muon | torch.optim.AdamW, ...] = (self.muon, adam)

    def clip(self) -> Float[Tensor, ""]:
        """Clip the gradients and return the norm that they had."""
        return nn.utils.clip_grad_norm_(self.parameters, CLIP)

    def prepare(self, step: int) -> float:
        """Get ready for step number `step` of the schedule; Muon's learning rate in it."""
        if due(step):
            self.muon.renew()
        share = min(1, (step + 1) / WARM_UP) * (0.505 + 0.495 * math.cos(math.pi * step / self.steps))
        for rate, greatest in zip(self.rates, self.greatest, strict=True):
            rate.fill_(greatest * share)
        return self.greatest[0] * share

    def apply(self) -> None:
        """Apply the gradients and forget them."""
        for part in self.both:
            part.step()
        for parameter in self.parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Everything that the optimizers remember, as tensors by name."""
        return {
            f"{i}.{j}.{name}": value
            for i, part in enumerate(self.both)
            for j, parameter in enumerate(part.param_groups[0]["params"])
            for name, value in part.state[parameter].items()
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        for name, value in state.items():
            i, j, key = name.split(".")
            part = self.both[int(i)]
            parameter = part.param_groups[0]["params"][int(j)]
            remembered = part.state[parameter]
            if key in remembered:
                remembered[key].copy_(value)
            else:
                remembered[key] = value.to(parameter.device)
