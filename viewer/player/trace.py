"""Networks as lists of operations so few and plain that a page can interpret them, translated from PyTorch's own graph.

`torch.export` gives a network as a graph of ATen operations. It is run once on real numbers, which sorts them out:
what depends on no input is a constant; what shares its memory with an operand is a view of it and nothing to be done;
the rest becomes operations of four kinds on strided views, the first of which is written:

- map: each number is a function of those at the same place in the other views
- reduce: each number is the sum, or the largest, of those that a view holds for it
- contract: each number is the sum of the products of two views: matrix products of any layout
- convolve: a two-dimensional convolution or transposed convolution
"""

import math
import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._decomp import get_decompositions
from torch.utils._pytree import tree_leaves, tree_unflatten

aten = torch.ops.aten


class Step(NamedTuple):
    """A map, reduce or contract. All views have one shape: an output that is smaller has strides of 0."""

    kind: str
    function: str
    tensors: tuple[Tensor, ...]


class Convolution(NamedTuple):
    """The output [height, width, channels] and the weight [input channels, height, width, output channels] lie in
    order; the input is [channels, height, width]. `taps` are, for rows and for columns, all triples of an input's
    place, a weight's and an output's that meet.
    """

    tensors: tuple[Tensor, Tensor, Tensor]  # output, input, weight
    taps: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]


Operation = Step | Convolution


class Trace(NamedTuple):
    """A function of tensors: what it reads, what it leaves and how it gets there. Outputs are contiguous."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operations: list[Operation]


Function = tuple[Callable[..., tuple[Tensor, ...]], tuple[Tensor, ...]]  # and inputs of the shapes that it is for


def trace(module: nn.Module, functions: dict[str, Function]) -> dict[str, Trace]:
    """Functions as operations. `module` holds the weights that they use.

    Raises:
        ValueError: one needs an operation that no page knows.
    """
    inputs = {name: tuple(tensor.clone() for tensor in given) for name, (_, given) in functions.items()}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch's, of its own use of itself
        # All in one graph: a graph takes a second, however small it is.
        program = torch.export.export(_Functions(module, functions), (inputs,)).run_decompositions(_decompositions())
        weights = {**program.state_dict, **program.constants}
        held = [weights[spec.target] for spec in program.graph_signature.input_specs if spec.target is not None]
        recorder = _Recorder(program.graph_module, inputs)
        left = recorder.run(*held, *tree_leaves(inputs))
        outputs = tree_unflatten([recorder.settled(output) for output in left], program.call_spec.out_spec)
    return {name: Trace(inputs[name], outputs[name], recorder.operations[name]) for name in functions}


class _Functions(nn.Module):
    """What `torch.export` asks for: one module."""

    def __init__(self, module: nn.Module, functions: dict[str, Function]):
        super().__init__()
        self.module, self.functions = module, functions

    def forward(self, inputs: dict[str, tuple[Tensor, ...]]) -> dict[str, tuple[Tensor, ...]]:
        return {name: tuple(function(*inputs[name])) for name, (function, _) in self.functions.items()}


def _decompositions() -> dict:
    """What is written with simpler operations: as PyTorch does it or, where that needs stranger ones, as here."""
    table = torch.export.default_decompositions()
    composed = "addmm addmv baddbmm elu gelu hardtanh leaky_relu log_sigmoid_forward _log_softmax"
    composed += " _softmax softplus stack"
    table.update(get_decompositions([getattr(aten, name) for name in composed.split()]))
    table.update({aten.mean.dim: _mean, aten.native_layer_norm.default: _layer_norm})
    return table


def _mean(operand: Tensor, dims: list[int], keepdim: bool = False) -> Tensor:
    return operand.sum(dims, keepdim) / math.prod(operand.shape[dim] for dim in dims)


def _layer_norm(
    operand: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    dims = list(range(-len(shape), 0))
    mean = _mean(operand, dims, True)
    scale = (_mean((operand - mean) * (operand - mean), dims, True) + epsilon).rsqrt()
    normal = (operand - mean) * scale
    normal = normal if weight is None else normal * weight
    return normal if bias is None else normal + bias, mean, scale


class _Recorder(torch.fx.Interpreter):
    """Runs the graph and notes for each function the operations that its inputs go through."""

    def __init__(self, graph: torch.fx.GraphModule, inputs: dict[str, tuple[Tensor, ...]]):
        super().__init__(graph)
        self.extra_traceback = False  # a sentence for the user stays one
        self.operations: dict[str, list[Operation]] = {name: [] for name in inputs}
        self.owner = {memory(tensor): name for name, given in inputs.items() for tensor in given}

    def call_function(self, target, args, kwargs):
        if target is operator.getitem:
            return target(*args)
        if target is aten.mul.Tensor and isinstance(args[1], int | float) and args[1] == 1:
            return args[0]  # PyTorch writes a sum of products with factors of 1
        if target is aten.view.default:
            target = aten.reshape.default  # new results lie in order here, so that what was a view may need a copy
        result = target(*args, **kwargs)
        operands = {memory(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        owners = {self.owner[operand] for operand in operands if operand in self.owner}
        if not owners or all(memory(leaf) in operands for leaf in tree_leaves(result)):
            return result
        (owner,) = owners
        if target not in _TRANSLATIONS:
            known = sorted({known.overloadpacket.__name__ for known in _TRANSLATIONS})
            raise ValueError(
                f"{owner} cannot run in a page: it needs the operation {target}, and the player knows only some of "
                + ", ".join(known)
            )
        maps = target is aten.convolution.default and result.dim() == 4
        result = result.clone(memory_format=torch.channels_last if maps else torch.contiguous_format)
        self.owner[memory(result)] = owner
        self.operations[owner] += _TRANSLATIONS[target](result, *args, **kwargs)
        return result

    def settled(self, output: Tensor) -> Tensor:
        """The output itself, or a copy of it where it is scattered."""
        return output if output.is_contiguous() else self.call_function(aten.clone.default, (output,), {})


def memory(tensor: Tensor) -> int:
    """Tensors with the same number are views of the same memory."""
    return tensor.untyped_storage().data_ptr()


def _map(function: str) -> Callable[..., list[Operation]]:
    """A function of numbers; those that are no tensors are constants."""

    def translate(result: Tensor, *operands: Any, alpha: float = 1) -> list[Operation]:
        views = [_tensor(operand).expand_as(result) for operand in operands]
        if alpha == 1:
            return [Step("map", function, (result, *views))]
        scaled = torch.empty_like(result)
        by = _tensor(alpha).expand_as(result)
        return [Step("map", "mul", (scaled, views[1], by)), Step("map", function, (result, views[0], scaled))]

    return translate


def _clamp(result: Tensor, operand: Tensor, least: float | None = None, most: float | None = None) -> list[Operation]:
    steps: list[Operation] = []
    for function, bound in (("maximum", least), ("minimum", most)):
        if bound is not None:
            steps.append(Step("map", function, (result, operand, _tensor(bound).expand_as(result))))
            operand = result
    return steps


def _tensor(operand: Tensor | float) -> Tensor:
    return operand if isinstance(operand, Tensor) else torch.tensor(operand, dtype=torch.float64)


def _copy(result: Tensor, operand: Tensor, *_shape: Any, **_layout: Any) -> list[Operation]:
    """Also of another shape, when the numbers stand in the same order."""
    return [Step("map", "copy", (result.view(operand.shape), operand))]


def _cat(result: Tensor, parts: Sequence[Tensor], dim: int = 0) -> list[Operation]:
    places = result.split([part.shape[dim] for part in parts], dim)
    return [Step("map", "copy", (place, part)) for place, part in zip(places, parts, strict=True)]


def _reduce(function: str) -> Callable[..., list[Operation]]:
    def translate(result: Tensor, operand: Tensor, dims: Any = None, keepdim: bool = False, **_: Any):
        dims = {dim % operand.dim() for dim in dims or range(operand.dim())}
        kept = [1 if dim in dims else length for dim, length in enumerate(operand.shape)]
        return [Step("reduce", function, (result.view(kept).expand_as(operand), operand))]

    return translate


def _matmul(result: Tensor, left: Tensor, right: Tensor) -> list[Operation]:
    """[..., n, k] by [..., k, m]; the products that are summed stand side by side."""
    shape = (*result.shape, left.shape[-1])
    views = (result.unsqueeze(-1), left.unsqueeze(-2), right.transpose(-1, -2).unsqueeze(-3))
    return [Step("contract", "", tuple(view.expand(shape) for view in views))]


def _convolve(
    result: Tensor, operand: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int], padding: list[int],
    dilation: list[int], transposed: bool, _: list[int], groups: int,
) -> list[Operation]:  # fmt: skip
    if operand.dim() != 4 or groups != 1:
        raise ValueError(
            "a convolution cannot run in a page unless it is two-dimensional and has one group, "
            f"but one has {operand.dim() - 2} dimensions and {groups} groups"
        )
    taps = []
    for axis, (step, margin, apart) in enumerate(zip(stride, padding, dilation, strict=True), start=2):
        met = []
        for i in range(operand.shape[axis]):
            for k in range(weight.shape[axis]):
                if transposed:
                    place, between = i * step - margin + k * apart, 0
                else:
                    place, between = divmod(i + margin - k * apart, step)
                if not between and 0 <= place < result.shape[axis]:
                    met.append((i, k, place))
        taps.append(met)
    packed = weight.permute((0, 2, 3, 1) if transposed else (1, 2, 3, 0)).contiguous()
    operations: list[Operation] = [Convolution((result[0].permute(1, 2, 0), operand[0], packed), (taps[0], taps[1]))]
    if bias is not None:
        operations.append(Step("map", "add", (result, result, bias[:, None, None].expand_as(result))))
    return operations


# Each of these is a function of the same name in the page.
_FUNCTIONS = """abs add cos div eq exp expm1 ge gt le log log1p lt maximum minimum mul ne neg pow reciprocal relu rsqrt
sigmoid sign sin sqrt sub tanh where"""
_VARIANTS = ("default", "Tensor", "Scalar", "Tensor_Tensor", "Tensor_Scalar", "self")
_TRANSLATIONS: dict[Any, Callable[..., list[Operation]]] = {
    **{
        getattr(getattr(aten, name), variant): _map(name)
        for name in _FUNCTIONS.split()
        for variant in _VARIANTS
        if variant in getattr(aten, name).overloads()
    },
    **dict.fromkeys((aten.clone.default, aten.reshape.default), _copy),
    aten.clamp.default: _clamp,
    aten.cat.default: _cat,
    aten.sum.default: _reduce("sum"),
    aten.sum.dim_IntList: _reduce("sum"),
    aten.amax.default: _reduce("largest"),
    aten.mm.default: _matmul,
    aten.bmm.default: _matmul,
    aten.convolution.default: _convolve,
}
