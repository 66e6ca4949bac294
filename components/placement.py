"""Where Kubernetes puts the trainings, in the words that Kubeflow Pipelines hands to it, and whether they fit there."""

from components.configuration import Configuration

MOST = 8  # GPUs of a node, of whatever type


def placement(gpu_type: str, gpus: int) -> tuple[dict[str, str], str]:
    """The labels of a node with this type of GPU on GKE, and the number of GPUs as a text.

    Without a type there is no cluster, and nothing to be placed.

    Raises:
        ValueError: no node has so many GPUs.
    """
    if gpu_type and not 1 <= gpus <= MOST:
        raise ValueError(f"gpus must be 1 to {MOST}, got {gpus}")
    return {"cloud.google.com/gke-accelerator": gpu_type}, str(gpus)


def require_equal_parts(configuration: Configuration, gpus: int) -> None:
    """Raise a ValueError where a batch cannot be shared by so many GPUs: the trainings would find it out on them."""
    world_model, policy = configuration.world_model_training, configuration.policy_training
    halves = 2 if configuration.world_model.refinements else 1  # of sequences: one is for refinements
    for name, batch, parts in (
        ("world_model_training.autoencoder_batch", world_model.autoencoder_batch, 1),
        ("world_model_training.dynamics_batch", world_model.dynamics_batch, halves),
        ("policy_training.batch", policy.batch, 1),
    ):
        if gpus and batch % (gpus * parts):
            by = (
                f"twice the {gpus} GPUs that share it, for refinements,"
                if parts > 1
                else f"the {gpus} GPUs that share it,"
            )
            raise ValueError(f"{name} must be a multiple of {by} got {batch}")
