"""A step of a training: on the processor one operation after another, on a GPU recorded once and then replayed.

The networks are small. On a GPU a step is a thousand operations of some microseconds each, less than Python needs to
ask for one. So all of a step, the optimizer's too, is recorded as a CUDA graph, one for each plan of a batch.

On several GPUs a step is not recorded, though NCCL's part of it could be: where one GPU that replays its steps is not
enough, networks and batches are so large that Python keeps up.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.optimizer import Optimizer
from models.phase import Batch, Figures, Phase
from models.ranks import mean, rank, ranks


class NotFinite(Exception):
    """The loss or its gradient is not finite: `str` says which.

    Attributes:
        sound: whether the weights are still as they were before.
    """

    def __init__(self, taken: "Taken", sound: bool):
        super().__init__("gradient" if taken.loss.isfinite() else "loss")
        self.sound = sound


class Taken(NamedTuple):
    """What is known of a step that was taken."""

    loss: Float[Tensor, ""]
    norm: Float[Tensor, ""]  # of the gradient, before it was clipped
    figures: Figures


class Steps:
    """The steps of a phase, on the processor.

    Attributes:
        rate: Muon's learning rate in the step that was taken last.
    """

    def __init__(self, phase: Phase):
        self.phase = phase
        self.module = phase.begin()
        self.average = copy.deepcopy(self.module)
        self.weights: list[Tensor] = list(self.module.parameters())
        self.averages: list[Tensor] = list(self.average.parameters())
        self.optimizer = Optimizer(self.module, phase.rate, phase.steps, phase.share)
        self.rate = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """A block in which the steps are taken, and what they computed is read."""
        yield

    def take(self, step: int) -> Taken:
        """Learn from a batch.

        Raises:
            NotFinite: the weights are as they were.
        """
        taken = self._descend(self.phase.draw(step))
        if not (taken.loss.isfinite() and taken.norm.isfinite()):
            raise NotFinite(taken, sound=True)
        self.rate = self.optimizer.prepare(step)
        self.optimizer.apply()
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.weights, 1 - decay(step, self.phase.average))
        return taken

    def settle(self) -> None:
        """Make sure that all was finite until now. Raises NotFinite where it was not."""

    def _descend(self, batch: Batch) -> Taken:
        loss, figures = self.phase.loss(batch)
        loss.backward()
        return Taken(loss.detach(), self.optimizer.clip(), figures)


class RecordedSteps(Steps):
    """The steps of a phase, on a GPU.

    The first step of a plan is taken as it is, which lets the libraries choose their kernels and the optimizer make its
    memory. Nothing is waited for, so that what is not finite shows at `settle` only, in the weights too.
    """

    def __init__(self, phase: Phase):
        super().__init__(phase)
        self.stream = torch.cuda.Stream()
        self.pool = torch.cuda.graph_pool_handle()
        self.met: set[tuple[int, ...]] = set()
        self.recordings: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Batch, Taken]] = {}
        device = next(self.module.parameters()).device
        self.follow = torch.zeros((), device=device)  # the share by which the average goes to the weights
        self.finite: Bool[Tensor, ""] = torch.ones((), dtype=torch.bool, device=device)

    @contextmanager
    def running(self) -> Iterator[None]:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            yield
        self.stream.synchronize()

    def take(self, step: int) -> Taken:
        batch = self.phase.draw(step)
        self.rate = self.optimizer.prepare(step)
        self.follow.fill_(1 - decay(step, self.phase.average))
        if batch.plan not in self.met:
            self.met.add(batch.plan)
            self.taken = self._whole(_to(batch, self.follow.device))
            return self.taken
        if batch.plan not in self.recordings:
            self.recordings[batch.plan] = self._record(_to(batch, self.follow.device))
        graph, inputs, self.taken = self.recordings[batch.plan]
        for there, drawn in zip(inputs.rows, batch.rows, strict=True):
            there.copy_(drawn, non_blocking=True)
        graph.replay()
        return self.taken

    def settle(self) -> None:
        if not self.finite:
            raise NotFinite(self.taken, sound=False)

    def _record(self, inputs: Batch) -> tuple[torch.cuda.CUDAGraph, Batch, Taken]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
            taken = self._whole(inputs)
        return graph, inputs, taken

    def _whole(self, batch: Batch) -> Taken:
        taken = self._descend(batch)
        self.finite.logical_and_(taken.loss.isfinite() & taken.norm.isfinite())
        self.optimizer.apply()
        with torch.no_grad():
            change = torch._foreach_sub(self.weights, self.averages)
            torch._foreach_mul_(change, self.follow)
            torch._foreach_add_(self.averages, change)
        return taken


class SharedSteps(Steps):
    """The steps of a phase by several ranks, each with its part of every batch.

    All draw the whole of it, and apply the same mean gradient to the same weights.
    """

    def __init__(self, phase: Phase):
        super().__init__(phase)
        self.device = next(self.module.parameters()).device
        self.loss = DistributedDataParallel(_Loss(self.module, phase), forward_sync_buffers=False)

    def _descend(self, batch: Batch) -> Taken:
        part = batch._replace(rows=tuple(row.chunk(ranks())[rank()] for row in batch.rows))
        loss, figures = self.loss(_to(part, self.device))
        loss.backward()
        shared, *others = mean([loss, *figures.values()])
        return Taken(shared, self.optimizer.clip(), dict(zip(figures, others, strict=True)))


class _Loss(nn.Module):
    """A phase's loss, as a function of the module that trains: what DistributedDataParallel asks for."""

    def __init__(self, module: nn.Module, phase: Phase):
        super().__init__()
        self.module = module
        self.phase = phase

    def forward(self, batch: Batch) -> tuple[Float[Tensor, ""], Figures]:
        return self.phase.loss(batch)


def steps_of(phase: Phase, device: torch.device) -> Steps:
    """The steps of a phase whose weights are on a device."""
    if ranks() > 1:
        return SharedSteps(phase)
    return RecordedSteps(phase) if device.type == "cuda" else Steps(phase)


def decay(step: int, average: float) -> float:
    """How much of themselves averaged weights keep. Young ones forget faster, or would remember the random start."""
    return min(average, (1 + step) / (10 + step))


def _to(batch: Batch, device: torch.device) -> Batch:
    return batch._replace(rows=tuple(row.to(device) for row in batch.rows))
