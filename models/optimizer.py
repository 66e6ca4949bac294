"""Muon on the matrices and AdamW on the rest, with a warm-up and a cosine down to a hundredth."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.muon import StackedMuon

ADAM_RATE = 2e-3  # for what is no matrix: biases, convolutions, the initial state
WARM_UP = 100  # steps
CLIP = 1.0  # greatest norm of the gradient
NEWTON_SCHULZ = 3  # iterations of Muon


class Optimizer:
    """Two of torch's optimizers that step as one.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) gets in the same time to two thirds of the
    error of AdamW alone; three Newton-Schulz steps do as well as its usual five.
    """

    def __init__(self, module: nn.Module, rate: float, steps: int, share: float = 1.0):
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        matrices = [p for p in self.parameters if p.ndim == 2]
        rest = [p for p in self.parameters if p.ndim != 2]
        device = self.parameters[0].device
        self.steps, self.greatest = steps, (share * rate, share * ADAM_RATE)
        # Steps on a GPU are recorded and replayed: what changes from one to the next lies in its memory.
        muon_rate, adam_rate = self.rates = torch.zeros(2, device=device).unbind()
        on_gpu = device.type == "cuda"
        self.muon: StackedMuon | torch.optim.Muon = (
            StackedMuon(matrices, muon_rate, NEWTON_SCHULZ)
            if on_gpu
            else torch.optim.Muon(matrices, lr=rate, weight_decay=0, ns_steps=NEWTON_SCHULZ)
        )
        self.adam = torch.optim.AdamW(rest, lr=adam_rate, weight_decay=0, fused=True, capturable=on_gpu)
        self.muon.param_groups[0]["lr"] = muon_rate

    def clip(self) -> Float[Tensor, ""]:
        """Clip the gradients and return the norm that they had."""
        return nn.utils.clip_grad_norm_(self.parameters, CLIP)

    def set_rate(self, step: int) -> float:
        """Prepare step number `step` of the schedule; Muon's learning rate."""
        share = min(1, (step + 1) / WARM_UP) * (0.505 + 0.495 * math.cos(math.pi * step / self.steps))
        for rate, greatest in zip(self.rates, self.greatest, strict=True):
            rate.fill_(greatest * share)
        return self.greatest[0] * share

    def apply(self) -> None:
        """Apply the gradients and forget them."""
        self.muon.step()
        self.adam.step()
        for parameter in self.parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Everything that the optimizers remember, as tensors by name."""
        return {
            f"{i}.{j}.{name}": value
            for i, part in enumerate((self.muon, self.adam))
            for j, parameter in enumerate(part.param_groups[0]["params"])
            for name, value in part.state[parameter].items()
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        for name, value in state.items():
            i, j, key = name.split(".")
            part = (self.muon, self.adam)[int(i)]
            parameter = part.param_groups[0]["params"][int(j)]
            remembered = part.state[parameter]
            if key in remembered:
                remembered[key].copy_(value)
            else:
                remembered[key] = value.to(parameter.device)
