"""The recurrent world model: it filters observations into a state and dreams on, in latent space, on forces alone."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig
from models.core import Core, DreamState
from models.decoder import Decoder
from models.encoder import Encoder
from models.fused_core import fused


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

        Always from the learned initial state: a state carried on for longer than in training would drift. Refinements
        act on a state of `config.memory` observations; one of fewer is left as it was filtered.
        """
        latents, forces = latents[:, -self.config.memory :], forces[:, -self.config.memory :]
        core = fused(self.core)
        state = core.initial(len(latents))
        for latent, force in zip(latents.unbind(1), forces.unbind(1), strict=True):
            state = core.observe(state, latent, force)
        if self.config.refinements and latents.shape[1] == self.config.memory:
            state = self.core.refine(state, latents, forces)
        return state

    def dream(
        self, state: DreamState, forces: Float[Tensor, "batch time 2"]
    ) -> tuple[Float[Tensor, "batch time latent"], DreamState]:
        """Latents of the timesteps in which `forces` act, and the state after the last. No observation enters."""
        core, paths = fused(self.core), []
        for force in forces.unbind(1):
            state = core.imagine(state, force)
            paths.append(state.path)
        return self.core.read(torch.stack(paths, 1)), state
