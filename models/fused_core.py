"""The recurrent core on a GPU: the same numbers in fewer and larger operations, with a gradient of its own.

There a step of a training is hundreds of operations of some microseconds each, and their number is what it costs. Here
the matrices that read the same input are one, the LSTM's gates are one operation, and the gradients of the weights wait
until all timesteps have theirs: they are then one product for all of time. On an H200 a step of the dynamics takes 1.83
ms, with `Core` it took 3.07. On a processor the products cost most and the same is worth a tenth at most, so that there
`Core` is used as it is.

Products of gradients are of numbers rounded to TF32, to a thousandth. What is computed forwards is not: in a dream what
is lost in a timestep is lost for all that come.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.core import Branch, Core, DreamState


def fused(core: Core) -> "Core | FusedCore":
    """The core, for some timesteps of one step of a training, in the form that suits where its weights are."""
    return FusedCore(core) if core.read.weight.is_cuda else core


class FusedCore:
    """What `Core` computes, of weights that do not change meanwhile."""

    def __init__(self, core: Core):
        self.core = core
        self.initial = core.initial

    @cached_property
    def observing(self) -> "FusedBranch":
        return FusedBranch(self.core.observing, residual=False)

    @cached_property
    def imagining(self) -> "FusedBranch":
        return FusedBranch(self.core.imagining, residual=True)

    def observe(self, state: DreamState, latent: Tensor, force: Float[Tensor, "batch 2"]) -> DreamState:
        return self.observing(state, latent, force, state.path)

    def imagine(self, state: DreamState, force: Float[Tensor, "batch 2"]) -> DreamState:
        return self.imagining(state, state.path, force)


class FusedBranch:
    """A `Branch` with its weights joined: the gates' (4 lstm, inputs + lstm), and those of the linear map and of the
    MLP's first layer (state + mlp, inputs + lstm). What is `residual` adds its output to the path, its first input.
    """

    def __init__(self, branch: Branch, *, residual: bool):
        lstm, linear = branch.lstm, branch.linear
        first, *middle, last = [layer for layer in branch.mlp if isinstance(layer, nn.Linear)]
        through = linear.weight
        if residual:
            through = through + torch.eye(*through.shape, device=through.device)
        joined = (
            torch.cat([lstm.weight_ih, lstm.weight_hh], 1),
            lstm.bias_ih + lstm.bias_hh,
            torch.cat([through, first.weight]),
            torch.cat([linear.bias + last.bias, first.bias]),
            last.weight,
            *(weight for layer in middle for weight in (layer.weight, layer.bias)),
        )
        self.gates, self.gates_bias, self.out, self.out_bias, self.last, *others = (one.detach() for one in joined)
        self.middle = list(zip(others[::2], others[1::2], strict=True))
        self.gates_biases = torch.empty(0)  # the same for each of the batch
        self.state = len(through)
        self.kept: list[Kept] = []
        self.learner = _Weights.apply(self.kept, *joined)

    def __call__(self, state: DreamState, *inputs: Float[Tensor, "batch _"]) -> DreamState:
        if len(self.gates_biases) != len(state.hidden):
            self.gates_biases = self.gates_bias.expand(len(state.hidden), -1).contiguous()
        return DreamState(*_Timestep.apply(self, self.learner, state.hidden, state.cell, *inputs))


class Kept(NamedTuple):
    """What a timestep has for the gradients of the weights: what layers read, and gradients of what they put out."""

    read: Float[Tensor, "batch inputs+lstm"]
    gates: Float[Tensor, "batch 4*lstm"]
    features: Float[Tensor, "batch inputs+lstm"]
    outputs: Float[Tensor, "batch state+mlp"]
    hidden: list[Float[Tensor, "batch mlp"]]  # of each layer, from the first
    middle: list[Float[Tensor, "batch mlp"]]  # of each but the first


class _Weights(torch.autograd.Function):
    """Stands for the weights in each timestep, and gets its turn in the backward pass after the last of them."""

    @staticmethod
    def forward(ctx: Any, kept: list[Kept], *weights: Tensor) -> Tensor:
        ctx.kept = kept
        ctx.set_materialize_grads(False)
        return weights[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: None) -> tuple[Tensor | None, ...]:
        *single, of_hidden, of_middle = zip(*ctx.kept, strict=True)
        read, gates, features, outputs = (torch.cat(parts) for parts in single)
        hidden, middle = ([torch.cat(parts) for parts in zip(*each, strict=True)] for each in (of_hidden, of_middle))
        state = outputs.shape[1] - hidden[0].shape[1]
        with rounded_products():
            to_weights = gates.T @ read, outputs.T @ features, outputs[:, :state].T @ hidden[-1]
            to_middle = [(to.T @ given, to.sum(0)) for to, given in zip(middle, hidden[:-1], strict=True)]
        return None, to_weights[0], gates.sum(0), to_weights[1], outputs.sum(0), to_weights[2], *chain(*to_middle)


class _Timestep(torch.autograd.Function):
    """One timestep of a branch, and its gradient with respect to all but the weights."""

    @staticmethod
    def forward(ctx: Any, branch: FusedBranch, learner: Tensor, hidden: Tensor, cell: Tensor, *inputs: Tensor) -> Any:
        cell = cell.contiguous()
        read = torch.cat([*inputs, hidden], 1)
        hidden, after, gates = lstm_cell(read @ branch.gates.T, branch.gates_biases, cell)
        features = torch.cat([*inputs, hidden], 1)
        both = torch.addmm(branch.out_bias, features, branch.out.T)
        layers = [torch.relu(both[:, branch.state :])]
        for weight, bias in branch.middle:
            layers.append(torch.relu(torch.addmm(bias, layers[-1], weight.T)))
        ctx.branch, ctx.widths = branch, [part.shape[1] for part in inputs]
        ctx.save_for_backward(read, cell, after, gates, features, *layers)
        ctx.set_materialize_grads(False)
        return torch.addmm(both[:, : branch.state], layers[-1], branch.last.T), hidden, after

    @staticmethod
    def backward(ctx: Any, path: Tensor, hidden: Tensor | None, cell: Tensor | None) -> Any:
        branch = ctx.branch
        read, before, after, gates, features, *layers = ctx.saved_tensors
        widths = [*ctx.widths, before.shape[1]]
        middle: list[Tensor] = []
        with rounded_products():
            to_layer = path @ branch.last
            for (weight, _), layer in zip(reversed(branch.middle), reversed(layers), strict=False):
                middle.insert(0, torch.ops.aten.threshold_backward(to_layer, layer, 0))
                to_layer = middle[0] @ weight
            outputs = torch.cat([path, torch.ops.aten.threshold_backward(to_layer, layers[0], 0)], 1)
            *to_inputs, to_hidden = (outputs @ branch.out).split(widths, 1)
            hidden = to_hidden.contiguous() if hidden is None else hidden + to_hidden
            gates, cell = lstm_cell_gradient(hidden, cell, before, after, gates)
            *through, hidden = (gates @ branch.gates).split(widths, 1)
        if ctx.needs_input_grad[1]:
            branch.kept.append(Kept(read, gates, features, outputs, layers, middle))
        needed = ctx.needs_input_grad[4:]
        inputs = (a + b if need else None for a, b, need in zip(to_inputs, through, needed, strict=True))
        return None, None, hidden, cell, *inputs


@contextmanager
def rounded_products() -> Iterator[None]:
    """A block in which a GPU's products round what they multiply to TF32."""
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def lstm_cell(gates: Float[Tensor, "batch 4*lstm"], others: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden state, cell state, and what the sum of both gates is after sigmoids and hyperbolic tangents.

    It and its gradient are what `torch.nn.LSTMCell` consists of on a GPU beside two products, which here are one.
    """
    return torch.ops.aten._thnn_fused_lstm_cell(gates, others, cell)


def lstm_cell_gradient(
    hidden: Tensor, cell: Tensor | None, before: Tensor, after: Tensor, gates: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients with respect to gates and cell state, from those of the states returned; before, after: cell states."""
    gradients = torch.ops.aten._thnn_fused_lstm_cell_backward_impl(hidden, cell, before, after, gates, False)
    return gradients[:2]
