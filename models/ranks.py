"""The processes of one training, its ranks: one for each GPU of a machine, or mostly a single one.

All ranks have to call these functions in the same order, for each waits in them for the others. A rank that ends by an
error leaves the others waiting; torchrun, which has started them, ends them then.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from models.process import device_here


@contextmanager
def joined() -> Iterator[None]:
    """A block in which the processes that torchrun has started are the ranks of one training.

    Of a block that raises the process has to end: to part from the others would take them.
    """
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)  # from here on what "cuda" means
        dist.init_process_group("nccl", device_id=device)
    else:
        dist.init_process_group("gloo")
    yield
    dist.destroy_process_group()


def rank() -> int:
    """The number of this process. 0 is the one that writes, tells and shows."""
    return dist.get_rank() if dist.is_initialized() else 0


def ranks() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def any_of_us(*facts: bool) -> list[bool]:
    """Of each fact, whether it is one on any rank: so that all go the same way."""
    if ranks() == 1:
        return list(facts)
    united = torch.tensor(facts, dtype=torch.int32, device=device_here())
    dist.all_reduce(united, dist.ReduceOp.MAX)
    return united.bool().tolist()


def mean(values: Sequence[Float[Tensor, ""]]) -> list[Float[Tensor, ""]]:
    """The means over all ranks; not finite where a value of any is not."""
    together = torch.stack([value.detach() for value in values])
    dist.all_reduce(together)
    return list(together / ranks())


def from_the_first(text: str) -> str:
    """The text that rank 0 has."""
    texts = [text]
    if ranks() > 1:
        dist.broadcast_object_list(texts)
    return texts[0]


def wait_for_all() -> None:
    """Go on when all ranks are here."""
    if ranks() > 1:
        dist.barrier()
