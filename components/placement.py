"""Where Kubernetes puts the trainings, in the words that Kubeflow Pipelines hands to it."""

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
