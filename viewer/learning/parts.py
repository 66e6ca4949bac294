"""Other parts for the learners, and how they stand in for ours while a variant trains."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.config import WorldModelConfig
from models.core import DreamState
from models.eye import VISIBLE
from models.losses import target_distance, transport
from models.world_model import WorldModel
from sim_core import episodes

_forces = episodes._forces  # ours, while another stands in for it


@contextmanager
def replaced(parts: Mapping[str, Any]) -> Iterator[None]:
    """Until the block ends each dotted name, such as "models.world_model.Encoder", is what `parts` says.

    Raises:
        AttributeError: there is nothing of such a name to stand in for.
    """
    with ExitStack() as stack:
        for name, part in parts.items():
            stack.enter_context(patch(name, part))
        yield


class PlainEncoder(nn.Module):
    """Two strided convolutions and a linear map of all that they give: what one would write without a thought."""

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(config.frames, config.maps, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(config.maps, 2 * config.maps, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.linear = nn.Linear(2 * config.maps * (-(-config.size // 4)) ** 2, config.latent)

    def forward(self, observation: Float[Tensor, "batch frames size size"]) -> Float[Tensor, "batch latent"]:
        return self.linear(self.network(observation))


class LstmBranch(nn.Module):
    """An LSTM cell and a linear map of its output alone: no way round the gates."""

    def __init__(self, inputs: int, config: WorldModelConfig):
        super().__init__()
        self.lstm = nn.LSTMCell(inputs, config.lstm)
        self.linear = nn.Linear(config.lstm, config.state)

    def forward(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, cell = self.lstm(inputs, (hidden, cell))
        return self.linear(hidden), hidden, cell


def imagine_anew(core: Any, state: DreamState, force: Float[Tensor, "batch 2"]) -> DreamState:
    """`Core.imagine` without the residual path: the branch gives the next state, not the change."""
    return DreamState(*core.imagining(torch.cat([state.path, force], 1), state.hidden, state.cell))


def dream_on_latents(
    model: WorldModel, state: DreamState, forces: Float[Tensor, "batch time 2"]
) -> tuple[Float[Tensor, "batch time latent"], DreamState]:
    """`WorldModel.dream` with feedback: each imagined latent is taken in as if it had been observed."""
    latents = []
    for force in forces.unbind(1):
        latents.append(model.core.latent(model.core.imagine(state, force)))
        state = model.core.observe(state, latents[-1], force)
    return torch.stack(latents, 1), state


class AdamW(torch.optim.AdamW):
    """In place of `models.muon.Muon`, for whose rates it is no use: the variant has to set its own."""

    def __init__(self, matrices: list[nn.Parameter], rate: Float[Tensor, ""]):
        super().__init__(matrices, lr=rate, weight_decay=0, fused=True)

    def renew(self) -> None:
        """It has no preconditioners."""


def never(step: int) -> bool:
    """In place of `models.muon.due`: preconditioners are left as they begin, the identity."""
    return False


def no_transport(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """In place of `models.losses.transport`: frames are compared pixel by pixel only."""
    return a.new_zeros(()), a.new_zeros(())


def independent_forces(which: str, kind: Any, draws: Any) -> Any:
    """In place of `sim_core.episodes._forces`: each timestep another force, in every set."""
    return _forces("validation", kind, draws)


def start_velocity(greatest: float) -> dict[str, Any]:
    """What `replaced` takes for start velocities of the training set, px/frame."""
    wide = {**episodes.START_VELOCITY, "training": (-greatest, greatest)}
    return {"sim_core.episodes.START_VELOCITY": wide}


def squared_error(
    imagined: Float[Tensor, "*batch latent"], encoded: Float[Tensor, "*batch latent"], delta: float, lost: float
) -> Float[Tensor, ""]:
    """In place of `models.losses.latent_loss`: the mean square."""
    return (imagined - encoded).square().mean()


class DecodingEye:
    """In place of `models.inner_eye.InnerEye`: the last frame itself, as the decoder shows it, a target's too."""

    def __init__(self, model: WorldModel, observations: Tensor):
        self.model = model

    def __call__(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch size size"]:
        return torch.sigmoid(self.model.decode(latents)[..., -1, :, :])


def pixel_entropy(
    frames: Float[Tensor, "*batch size size"], target: Float[Tensor, "*#batch size size"]
) -> Float[Tensor, " *batch"]:
    """In place of `models.losses.target_distance`: the binary cross-entropy of the pixels, summed."""
    return F.binary_cross_entropy(frames, target.expand_as(frames), reduction="none").sum((-1, -2))


def transport_distance(
    frames: Float[Tensor, "*batch size size"], target: Float[Tensor, "*#batch size size"]
) -> Float[Tensor, " *batch"]:
    """In place of `models.losses.target_distance`: how far what frames show is from what a target shows, px.

    Per axis the 1-D Wasserstein distance of the mass above the background; for two blocks that is |dx| and |dy|,
    overlapping or not.
    """
    across, along = transport(torch.relu(frames - VISIBLE), torch.relu(target - VISIBLE))
    return target_distance(torch.stack([across, along], -1), torch.zeros(2))
