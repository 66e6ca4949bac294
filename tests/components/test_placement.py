"""Where the trainings are put: python -m pytest tests/components/test_placement.py"""

import pytest

from components.placement import placement
from components.plan import plan


def test_a_node_is_chosen_by_the_label_that_gke_gives_it():
    assert placement("nvidia-l4", 2) == ({"cloud.google.com/gke-accelerator": "nvidia-l4"}, "2")


@pytest.mark.parametrize("gpus", [0, 9, -1])
def test_a_run_that_asks_for_a_number_of_gpus_that_no_node_has_is_refused_by_its_first_step(gpus):
    with pytest.raises(ValueError, match=f"^gpus must be 1 to 8, got {gpus}$"):
        plan.python_func("smoke", 0, {}, "nvidia-l4", gpus)


def test_without_a_cluster_there_are_no_gpus_to_ask_for():
    assert plan.python_func("smoke", 0, {})[-1] == "0"


@pytest.mark.parametrize(
    "name", ["world_model_training.autoencoder_batch", "world_model_training.dynamics_batch", "policy_training.batch"]
)
def test_a_batch_that_the_gpus_cannot_share_is_refused_before_there_are_any(name):
    assert plan.python_func("smoke", 0, {name: 36}, "nvidia-l4", 4)[-1] == "4"
    with pytest.raises(ValueError, match=f"^{name} must be a multiple of the 8 GPUs that share it, got 36$"):
        plan.python_func("smoke", 0, {name: 36}, "nvidia-l4", 8)


def test_refinements_have_their_half_of_what_each_gpu_is_given():
    overrides = {"world_model.refinements": 2, "world_model_training.dynamics_batch": 36}
    assert plan.python_func("smoke", 0, overrides, "nvidia-l4", 2)[-1] == "2"
    with pytest.raises(
        ValueError, match="must be a multiple of twice the 4 GPUs that share it, for refinements, got 36"
    ):
        plan.python_func("smoke", 0, overrides, "nvidia-l4", 4)
