"""A world model and a policy as one JSON object: what they compute, and the memory in which a page computes it.

    {"past": observations to filter, "memory": numbers, "constants": base64 of float16, of float32 and of float64, which
     come first, "functions": {name: {"inputs": [[place, length]], "outputs": [[place, length]], "operations": [...]}}}

An operation of `viewer.player.trace` is {"kind": "map" or "reduce" or "contract", "function": str, "shape": [length of
each axis], "views": [[place of the first number, stride of each axis]], the written one first}, or {"kind": "convolve",
"output": [place, length, channels], "input": [place, channels, stride from one to the next], "weight": [place, stride
from one input channel to the next], "taps": for rows and for columns the steps in input, weight and output that meet}.
The page computes in double precision.
"""

import base64
import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.core import DreamState
from models.policy import Policy, encode_target
from models.world_model import WorldModel
from viewer.player.trace import Convolution, Function, Operation, Trace, memory, trace

# A weight is the first, other constants of the networks the second; what was computed of weights seldom fits.
CONSTANT_TYPES = (torch.float16, torch.float32, torch.float64)
WRITTEN = len(CONSTANT_TYPES)  # the group of what is no constant


def export(model: WorldModel, policy: Policy) -> dict[str, Any]:
    """The networks for a page. A state is as many arrays as a `DreamState` has parts.

    start() -> state, encode(observation) -> latent, aim(target) -> latent, observe(state, latent, force) -> state,
    imagine(state, force) -> state, show(state) -> frames in 0..1, act(state, aim, previous force) -> force. Where the
    model has refinements, also refine(state, latents, forces) -> state, of as many observations as `past`.

    Raises:
        ValueError: the networks hold an operation that the page does not know.
    """
    dreamer, actor = for_page(model, policy)
    both = nn.ModuleList([dreamer, actor])
    core, parts = dreamer.core, len(DreamState._fields)
    start = core.initial(1)
    frame = (model.config.size, model.config.size)
    observation, target, latent, force = (
        torch.zeros(1, *shape, dtype=torch.float64)
        for shape in ((model.config.frames, *frame), frame, (model.config.latent,), (2,))
    )
    functions: dict[str, Function] = {
        "start": (lambda: core.initial(1), ()),
        "encode": (lambda observation: (dreamer.encode(observation),), (observation,)),
        "aim": (lambda target: (encode_target(dreamer, target),), (target,)),
        "observe": (lambda *given: core.observe(DreamState(*given[:parts]), *given[parts:]), (*start, latent, force)),
        "imagine": (lambda *given: core.imagine(DreamState(*given[:parts]), *given[parts:]), (*start, force)),
        "show": (lambda *state: (dreamer.decode(core.latent(DreamState(*state))).sigmoid(),), start),
        "act": (lambda *given: (actor(DreamState(*given[:parts]), *given[parts:]),), (*start, latent, force)),
    }
    if model.config.refinements:
        past = (each[:, None].expand(-1, model.config.memory, -1) for each in (latent, force))
        functions["refine"] = (lambda *given: core.refine(DreamState(*given[:parts]), *given[parts:]), (*start, *past))
    return {"past": model.config.memory, **pack(trace(both, functions))}


def for_page(model: WorldModel, policy: Policy) -> tuple[WorldModel, Policy]:
    """The networks as the page has them: weights of half precision, everything computed in double.

    Halves keep a page with the largest preset's networks below 4 MB, and move its dreams less than another seed of the
    training does. But a long dream is chaotic: computed in single precision, page and PyTorch part within 50 timesteps.
    """
    both = nn.ModuleList(copy.deepcopy((model, policy))).eval().requires_grad_(False)
    for weight in both.parameters():
        weight.copy_(weight.half())
    dreamer, actor = both.double()
    return dreamer, actor  # type: ignore[return-value]  # a ModuleList forgets what it holds


def pack(traces: dict[str, Trace]) -> dict[str, Any]:
    """The functions in one memory: the constants, of which each is there once, and then what is written."""
    used, written = [], set()
    for inputs, outputs, operations in traces.values():
        used += [*inputs, *outputs, *(tensor for operation in operations for tensor in operation.tensors)]
        written |= {memory(tensor) for tensor in (*inputs, *(operation.tensors[0] for operation in operations))}
    whole = {memory(tensor): _whole(tensor) for tensor in used}
    groups = {key: WRITTEN if key in written else _narrowest(numbers) for key, numbers in whole.items()}
    places: dict[int, int] = {}
    constants: tuple[dict[bytes, int], ...] = tuple({} for _ in CONSTANT_TYPES)
    size = 0
    for key in sorted(whole, key=lambda key: groups[key]):
        place = size
        if groups[key] != WRITTEN:
            content = whole[key].to(CONSTANT_TYPES[groups[key]]).numpy().tobytes()
            place = constants[groups[key]].setdefault(content, size)
        places[key] = place
        size = max(size, place + len(whole[key]))

    def place_of(tensor: Tensor) -> int:
        return places[memory(tensor)] + int(tensor.storage_offset())

    return {
        "memory": size,
        "constants": [base64.b64encode(b"".join(contents)).decode() for contents in constants],
        "functions": {
            name: {
                "inputs": [[place_of(tensor), tensor.numel()] for tensor in traced.inputs],
                "outputs": [[place_of(tensor), tensor.numel()] for tensor in traced.outputs],
                "operations": [_described(operation, place_of) for operation in traced.operations],
            }
            for name, traced in traces.items()
        },
    }


def _whole(tensor: Tensor) -> Tensor:
    """All numbers of the memory that a tensor is a view of."""
    length = tensor.untyped_storage().nbytes() // tensor.element_size()
    return tensor.as_strided((length,), (1,), 0).double()


def _narrowest(numbers: Tensor) -> int:
    """The first of the types in which none of the numbers changes."""
    return next(i for i, kind in enumerate(CONSTANT_TYPES) if torch.equal(numbers.to(kind).double(), numbers))


def _described(operation: Operation, place_of: Callable[[Tensor], int]) -> dict[str, Any]:
    if isinstance(operation, Convolution):
        output, channels, weight = operation.tensors
        return {
            "kind": "convolve",
            "output": [place_of(output), output.numel(), output.shape[2]],
            "input": [place_of(channels), len(channels), channels.stride(0)],
            "weight": [place_of(weight), weight.stride(0)],
            "taps": [
                [
                    [i * channels.stride(axis + 1), k * weight.stride(axis + 1), o * output.stride(axis)]
                    for i, k, o in taps
                ]
                for axis, taps in enumerate(operation.taps)
            ],
        }
    shape, strides = _merged(operation.tensors)
    return {
        "kind": operation.kind,
        "function": operation.function,
        "shape": shape,
        "views": [[place_of(view), *steps] for view, steps in zip(operation.tensors, strides, strict=True)],
    }


def _merged(views: Sequence[Tensor]) -> tuple[list[int], list[list[int]]]:
    """The views' shape and the strides of each, with neighbouring axes as one where all views pass them as one."""
    axes: list[tuple[int, list[int]]] = []
    for axis, length in enumerate(views[0].shape):
        strides = [view.stride(axis) for view in views]
        if axes and axes[-1][1] == [length * stride for stride in strides]:
            axes[-1] = (axes[-1][0] * length, strides)
        elif length > 1:
            axes.append((length, strides))
    axes = axes or [(1, [0] * len(views))]
    return [length for length, _ in axes], [list(strides) for strides in zip(*(each for _, each in axes), strict=True)]
