"""The policy: from what the world model remembers, a target and the previous force to the next force."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import PolicyConfig, WorldModelConfig
from models.core import DreamState
from models.world_model import WorldModel


class Policy(nn.Module):
    """A small network that never sees the world: only the recurrent state and the latent of the target."""

    def __init__(self, config: PolicyConfig, world_model: WorldModelConfig):
        super().__init__()
        self.config = config
        inputs = world_model.state + world_model.latent + 2
        self.network = nn.Sequential(
            nn.Linear(inputs, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, 2),
        )

    def forward(
        self, state: DreamState, target: Float[Tensor, "batch latent"], previous: Float[Tensor, "batch 2"]
    ) -> Float[Tensor, "batch 2"]:
        """The force of the next timestep, each component within [-1, 1]."""
        return torch.tanh(self.network(torch.cat([state.path, target, previous], 1)))


def encode_target(model: WorldModel, target: Float[Tensor, "batch size size"]) -> Float[Tensor, "batch latent"]:
    """The latent of a target image: that of an observation in which nothing moves."""
    return model.encode(target[:, None].expand(-1, model.config.frames, -1, -1))
