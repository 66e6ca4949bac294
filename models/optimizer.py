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

    def __init__(self, module: nn.Module, rate: float, steps: int):
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.matrices = [p for p in self.parameters if p.ndim == 2]
        rest = [p for p in self.parameters if p.ndim != 2]
        self.steps, self.rate = steps, rate
        # On a GPU steps are recorded and replayed: what changes from one to the next has to lie in its memory.
        device = self.parameters[0].device
        self.recordable = device.type == "cuda"
        self.muon_rate, self.adam_rate = torch.zeros(2, device=device) if self.recordable else (0.0, 0.0)
        self.muon = torch.optim.Muon(self.matrices, lr=rate, weight_decay=0, ns_steps=3)
        self.adam = torch.optim.AdamW(rest, lr=self.adam_rate, weight_decay=0, fused=True, capturable=self.recordable)

    def clip(self) -> Float[Tensor, ""]:
        """Clip the gradients and return the norm that they had."""
        return nn.utils.clip_grad_norm_(self.parameters, CLIP)

    def set_rate(self, step: int) -> float:
        """Prepare step number `step` of the schedule; Muon's learning rate."""
        share = min(1, (step + 1) / WARM_UP) * (0.505 + 0.495 * math.cos(math.pi * step / self.steps))
        rate, adam_rate = self.rate * share, ADAM_RATE * share
        if self.recordable:
            self.muon_rate.fill_(rate)
            self.adam_rate.fill_(adam_rate)
        else:
            self.muon.param_groups[0]["lr"], self.adam.param_groups[0]["lr"] = rate, adam_rate
        return rate

    @torch.no_grad()
    def apply(self) -> None:
        """Apply the gradients and forget them."""
        if self.recordable:
            # Muon reads its rate as a number of Python's. At rate 1 it makes the whole step, of which a share is taken.
            before = [matrix.clone() for matrix in self.matrices]
            self.muon.param_groups[0]["lr"] = 1.0
            self.muon.step()
            change = torch._foreach_sub(self.matrices, before)
            torch._foreach_mul_(change, self.muon_rate)
            torch._foreach_copy_(self.matrices, before)
            torch._foreach_add_(self.matrices, change)
        else:
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
            part.state[parameter][key] = value.to(parameter.device)
