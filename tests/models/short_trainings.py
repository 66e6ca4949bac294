"""Trainings of a few steps, for the tests of the loop."""

from models.config import PolicyTraining, WorldModelTraining
from models.dataset import Dataset
from models.endless import Endless

SHORT = WorldModelTraining(
    seed=3,
    autoencoder_steps=14,
    autoencoder_batch=8,
    dynamics_steps=16,
    dynamics_batch=8,
    decoder_steps=5,
    horizons=(2, 3, 4),
)
SHORT_POLICY = PolicyTraining(seed=3, steps=18, batch=8, horizon=3)


def beyond(dataset: Dataset) -> Endless:
    """What follows on a dataset's episodes."""
    return Endless(dataset.world, seed=0, original_share=0.0, first=dataset.episodes)
