"""How torch uses the machine: its GPU if it has one, else one thread, fast products, and memory that is kept."""

import copy
import ctypes
import sys
from typing import TypeVar

import torch
from torch import nn

from models.threads import number_of_threads

Module = TypeVar("Module", bound=nn.Module)

# glibc's mallopt: keep freed memory, and take large blocks from the heap, so that they are not mapped anew each step.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1


def prepare() -> None:
    """Set the threads that OMP_NUM_THREADS asks for, by default one, and stop returning memory to the system.

    Results are bit-exact for a number of threads and a type of processor: which kernels are taken depends on both.
    With the kernel clearing fresh pages for every large tensor, a training step takes up to twice as long.

    Raises:
        ValueError: OMP_NUM_THREADS is not a number of threads.
    """
    torch.set_num_threads(number_of_threads())
    processor = torch.cpu.get_capabilities()
    on_gpu = device_here().type == "cuda"  # where "medium" is TF32, and would round what dreams are computed of
    if processor["architecture"] == "x86_64" and not processor["amx_bf16"] and not on_gpu:
        # Through oneDNN in place of MKL: the same float32 products, on AMD's processors in half the time. Only with
        # AMX would oneDNN take this for leave to round to bfloat16.
        torch.set_float32_matmul_precision("medium")
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
            libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def device_here() -> torch.device:
    """Where trainings run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def on_processor(module: Module) -> Module:
    """The module itself, or a copy of one that lies on a GPU: for short work, and such as shall not depend on a GPU."""
    is_there = next(module.parameters()).device.type == "cpu"
    return module if is_there else copy.deepcopy(module).cpu()
