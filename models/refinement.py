"""What all remembered observations together add to a state that was filtered from one after another.

Frames of whole pixels hide where in its pixel the block is, and only all of them together narrow it down: to a polygon
of positions and velocities, whose middle is the best guess. A recurrent filter passes each frame once. Here an estimate
is moved on in passes, each of which reads all observations again, as unrolled iterations of a solver do (Gregor and
LeCun 2010, https://icml.cc/Conferences/2010/papers/449.pdf): of nets as large as these, such a one learns it soonest.

It is for a memory that is full: what fewer observations tell is another function, and to learn several at once takes
far longer than one.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig

HEADS = 2  # estimates that are moved on by the same weights: the world is alike along both axes
READ = 16  # numbers that a head reads from the observations
ESTIMATE = 64  # numbers of an estimate
HIDDEN = 192  # width of a pass


class Refinement(nn.Module):
    """A change of the state's path, at first none, from as many observations as are remembered."""

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        self.read = nn.Linear(config.memory * (config.latent + 2), HEADS * READ)
        self.start = nn.Linear(READ, ESTIMATE)
        self.firsts = nn.ModuleList(nn.Linear(READ + ESTIMATE, HIDDEN) for _ in range(config.refinements))
        self.lasts = nn.ModuleList(nn.Linear(HIDDEN, ESTIMATE) for _ in range(config.refinements))
        self.write = nn.Linear(HEADS * ESTIMATE, config.state)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)

    def forward(
        self, latents: Float[Tensor, "batch memory latent"], forces: Float[Tensor, "batch memory 2"]
    ) -> Float[Tensor, "batch state"]:
        read = self.read(torch.cat([latents, forces], 2).flatten(1)).reshape(-1, READ)
        estimate = self.start(read)
        for first, last in zip(self.firsts, self.lasts, strict=True):
            estimate = estimate + last(torch.relu(first(torch.cat([read, estimate], 1))))
        return self.write(estimate.reshape(-1, HEADS * ESTIMATE))
