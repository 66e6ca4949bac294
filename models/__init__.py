"""The learners: networks, losses, the training loop, checkpoints and the figures of an evaluation."""
