"""The recurrent core of the world model: what it remembers, and how a timestep changes that."""

from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig
from models.refinement import Refinement


class DreamState(NamedTuple):
    """What the model remembers: the residual path, from which latents are read, and the LSTM's two memories."""

    path: Float[Tensor, "batch state"]
    hidden: Float[Tensor, "batch lstm"]
    cell: Float[Tensor, "batch lstm"]


class Branch(nn.Module):
    """An LSTM cell and, from its input and output, a linear map plus a small MLP.

    Dreams of a plain LSTM are half as far off again (docs/learning.md): folding a path at a wall is piecewise linear,
    which a ReLU branch can be exactly and gates cannot. It has a piece for each frame in which a wall may be met, and
    at the borders the motion jumps: with two hidden layers the branch learns that far sooner than with one.
    """

    def __init__(self, inputs: int, config: WorldModelConfig):
        super().__init__()
        self.lstm = nn.LSTMCell(inputs, config.lstm)
        self.linear = nn.Linear(inputs + config.lstm, config.state)
        widths = [inputs + config.lstm, *[config.mlp] * config.depth]
        hidden = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())]
        out = nn.Linear(config.mlp, config.state)
        nn.init.zeros_(out.weight)
        self.mlp = nn.Sequential(*hidden, out)

    def forward(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, cell = self.lstm(inputs, (hidden, cell))
        features = torch.cat([inputs, hidden], 1)
        return self.linear(features) + self.mlp(features), hidden, cell


class Core(nn.Module):
    """The recurrent part: one branch takes an observation in, another moves the state on without one.

    Refinements, where there are any, correct a state by all that is remembered.
    """

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        self.observing = Branch(config.latent + 2 + config.state, config)
        self.imagining = Branch(config.state + 2, config)
        self.read = nn.Linear(config.state, config.latent)
        self.start = nn.ParameterList(torch.zeros(n) for n in (config.state, config.lstm, config.lstm))
        if config.refinements:
            self.refinement = Refinement(config)

    def initial(self, batch: int) -> DreamState:
        """The learned state before anything was observed."""
        return DreamState(*(part.expand(batch, -1) for part in self.start))

    def observe(self, state: DreamState, latent: Tensor, force: Float[Tensor, "batch 2"]) -> DreamState:
        """Take in the observation of a timestep, in which `force` acted."""
        return DreamState(*self.observing(torch.cat([latent, force, state.path], 1), state.hidden, state.cell))

    def refine(
        self, state: DreamState, latents: Float[Tensor, "batch memory latent"], forces: Float[Tensor, "batch memory 2"]
    ) -> DreamState:
        """Add what all remembered observations tell together, of which the state has taken in one after another."""
        return state._replace(path=state.path + self.refinement(latents, forces))

    def imagine(self, state: DreamState, force: Float[Tensor, "batch 2"]) -> DreamState:
        """Move on by a timestep in which `force` acts."""
        change, hidden, cell = self.imagining(torch.cat([state.path, force], 1), state.hidden, state.cell)
        return DreamState(state.path + change, hidden, cell)

    def latent(self, state: DreamState) -> Float[Tensor, "batch latent"]:
        """The standardised latent that the state stands for."""
        return self.read(state.path)
