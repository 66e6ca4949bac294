"""The recurrent world model: it filters observations into a state and dreams on, in latent space, on forces alone."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig
from models.decoder import Decoder
from models.encoder import Encoder


class DreamState(NamedTuple):
    """What the model remembers: the residual path, from which latents are read, and the LSTM's two memories."""

    path: Float[Tensor, "batch state"]
    hidden: Float[Tensor, "batch lstm"]
    cell: Float[Tensor, "batch lstm"]


class Branch(nn.Module):
    """An LSTM cell and, from its input and output, a linear map plus a small MLP.

    A plain LSTM dreams 2 to 3 times worse: folding a path at a wall is piecewise linear, which a ReLU branch can be
    exactly and gates cannot.
    """

    def __init__(self, inputs: int, config: WorldModelConfig):
        super().__init__()
        self.lstm = nn.LSTMCell(inputs, config.lstm)
        self.linear = nn.Linear(inputs + config.lstm, config.state)
        out = nn.Linear(config.mlp, config.state)
        nn.init.zeros_(out.weight)
        self.mlp = nn.Sequential(nn.Linear(inputs + config.lstm, config.mlp), nn.ReLU(), out)

    def forward(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, cell = self.lstm(inputs, (hidden, cell))
        features = torch.cat([inputs, hidden], 1)
        return self.linear(features) + self.mlp(features), hidden, cell


class WorldModel(nn.Module):
    """Encoder, recurrent core and decoder.

    Latents are standardised: `latent_mean` and `latent_scale` are measured on the training data between the two
    phases of the training and are part of the weights.
    """

    latent_mean: Tensor
    latent_scale: Tensor

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.core = Core(config)
        self.register_buffer("latent_mean", torch.zeros(config.latent))
        self.register_buffer("latent_scale", torch.ones(config.latent))

    def encode(self, observation: Float[Tensor, "batch frames size size"]) -> Float[Tensor, "batch latent"]:
        """Standardised latents of observations, frames in 0..1."""
        return (self.encoder(observation) - self.latent_mean) / self.latent_scale

    def decode(self, latent: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch frames size size"]:
        """Logits of the frames."""
        return self.decoder(latent * self.latent_scale + self.latent_mean)

    def filter(self, latents: Float[Tensor, "batch time latent"], forces: Float[Tensor, "batch time 2"]) -> DreamState:
        """The state after the last `config.memory` observations, whose latents are given, each with its force.

        Always from the learned initial state: a state carried on for longer than in training would drift.
        """
        state = self.core.initial(len(latents))
        for t in range(max(0, latents.shape[1] - self.config.memory), latents.shape[1]):
            state = self.core.observe(state, latents[:, t], forces[:, t])
        return state

    def dream(
        self, state: DreamState, forces: Float[Tensor, "batch time 2"]
    ) -> tuple[Float[Tensor, "batch time latent"], DreamState]:
        """Latents of the timesteps in which `forces` act, and the state after the last. No observation enters."""
        paths = []
        for force in forces.unbind(1):
            state = self.core.imagine(state, force)
            paths.append(state.path)
        return self.core.read(torch.stack(paths, 1)), state


class Core(nn.Module):
    """The recurrent part: one branch takes an observation in, another moves the state on without one."""

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        self.observing = Branch(config.latent + 2 + config.state, config)
        self.imagining = Branch(config.state + 2, config)
        self.read = nn.Linear(config.state, config.latent)
        self.start = nn.ParameterList(torch.zeros(n) for n in (config.state, config.lstm, config.lstm))

    def initial(self, batch: int) -> DreamState:
        """The learned state before anything was observed."""
        return DreamState(*(part.expand(batch, -1) for part in self.start))

    def observe(self, state: DreamState, latent: Tensor, force: Float[Tensor, "batch 2"]) -> DreamState:
        """Take in the observation of a timestep, in which `force` acted."""
        return DreamState(*self.observing(torch.cat([latent, force, state.path], 1), state.hidden, state.cell))

    def imagine(self, state: DreamState, force: Float[Tensor, "batch 2"]) -> DreamState:
        """Move on by a timestep in which `force` acts."""
        change, hidden, cell = self.imagining(torch.cat([state.path, force], 1), state.hidden, state.cell)
        return DreamState(state.path + change, hidden, cell)

    def latent(self, state: DreamState) -> Float[Tensor, "batch latent"]:
        """The standardised latent that the state stands for."""
        return self.read(state.path)
