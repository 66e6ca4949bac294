"""Weights on disk: they come back as they were, and what does not fit is refused in one sentence.

python -m pytest tests/models/test_checkpoint.py
"""

import json
import math
import resource
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from models.checkpoint import (
    DESCRIPTION,
    FORMAT,
    WEIGHTS,
    load_training,
    load_world,
    load_world_model,
    save_training,
    save_world_model,
)
from models.config import PolicyConfig, WorldModelConfig
from models.policy import Policy
from models.policy_checkpoint import load_policy, save_policy
from models.world_model import WorldModel


@pytest.fixture
def model(tiny):
    return WorldModel(tiny)


@pytest.fixture
def folder(model, world, tmp_path):
    save_world_model(tmp_path, model, world)
    return tmp_path


@pytest.fixture
def policy_folder(tiny, tmp_path):
    save_policy(tmp_path, Policy(PolicyConfig(8), tiny), tiny)
    return tmp_path


def refused(load):
    """The message, which is one line."""
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        load()
    return str(caught.value)


def edit(folder, **changes):
    description = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(description | changes))


def test_the_weights_say_which_world_they_dream_of(folder, world):
    assert load_world(folder) == world


def test_a_world_model_comes_back_as_it_was_and_frozen(model, folder, world):
    loaded = load_world_model(folder)
    assert loaded.config == model.config
    assert all(map(torch.equal, model.state_dict().values(), loaded.state_dict().values()))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    observation = torch.rand(3, world.frames, world.size, world.size)
    assert torch.equal(model.encode(observation), loaded.encode(observation))


def test_the_world_that_a_model_dreams_of_comes_back_with_it(folder, world):
    assert load_world(folder) == world
    edit(folder, world=asdict(world) | {"block": 99})
    assert "does not describe a world: block must be smaller than size" in refused(lambda: load_world(folder))


@pytest.mark.parametrize("claim", [10**7, 10**12, 2**62, 10**30])
def test_a_description_that_claims_a_huge_network_is_refused_without_memory_for_it(folder, tiny, claim):
    limit = resource.getrlimit(resource.RLIMIT_AS)
    for name in ("hidden", "latent", "mlp", "lstm", "state", "maps", "rank", "depth", "refinements"):
        edit(folder, world_model=vars(tiny) | {name: claim})
        resource.setrlimit(resource.RLIMIT_AS, (memory_mapped() + 2**30, limit[1]))
        try:
            refused(lambda: load_world_model(folder))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limit)


def test_weights_are_loaded_without_what_takes_longer_to_load_than_they_do(folder):
    load = (
        "import sys; from pathlib import Path; from models.checkpoint import load_world_model;"
        "load_world_model(Path(sys.argv[1])); sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", load, str(folder)], check=True)


def memory_mapped():
    """Bytes of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def test_a_policy_comes_back_as_it_was_and_frozen(policy_folder, tiny):
    loaded = load_policy(policy_folder, tiny)
    assert loaded.config == PolicyConfig(8)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_what_is_written_is_weights_and_json_and_small(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([DESCRIPTION, WEIGHTS])
    assert (folder / WEIGHTS).stat().st_size < 200_000


def test_a_policy_of_another_world_model_is_refused_with_the_difference(policy_folder, tiny):
    message = refused(lambda: load_policy(policy_folder, replace(tiny, latent=24)))
    assert message.endswith("belongs to a world model with latent 8, but this world model has latent 24")


def test_a_world_model_where_a_policy_belongs_is_refused_and_the_other_way_round(folder, tiny, tmp_path):
    assert "does not describe a policy" in refused(lambda: load_policy(folder, tiny))
    other = tmp_path / "policy"
    other.mkdir()
    save_policy(other, Policy(PolicyConfig(8), tiny), tiny)
    assert "weights of another architecture" in refused(lambda: load_world_model(other))


def test_a_policy_whose_description_is_none_is_said_to_be_that_of_a_policy(policy_folder, tiny):
    (policy_folder / DESCRIPTION).write_text("{")
    assert "does not describe a policy" in refused(lambda: load_policy(policy_folder, tiny))


def test_an_empty_folder_no_folder_and_a_file_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for nothing in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        assert "there is no world model in" in refused(lambda folder=nothing: load_world_model(folder))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"format": 1}',
        b'{"format": "1", "world_model": {}}',
        b'{"format": 1, "world_model": 3}',
        b'{"format": 1, "world_model": []}',
        b'{"format": 1, "world_model": {"wings": 2}}',
        b'{"format": 1, "world_model": {"size": "32"}}',
        b'{"format": 1, "world_model": {"size": 32.5}}',
        b'{"format": 1, "world_model": {"size": 0}}',
        b'{"format": 1, "world_model": {"latent": null}}',
        b'{"model_type": "bert", "hidden_size": 768}',
    ],
)
def test_a_foreign_description_is_refused(folder, text):
    (folder / DESCRIPTION).write_bytes(text)
    assert str(folder / DESCRIPTION) in refused(lambda: load_world_model(folder))


def test_weights_of_before_there_was_a_depth_have_one_hidden_layer(tiny, world, tmp_path):
    shallow = replace(tiny, depth=1)
    save_world_model(tmp_path, WorldModel(shallow), world)
    edit(tmp_path, world_model={name: value for name, value in vars(shallow).items() if name != "depth"})
    assert load_world_model(tmp_path).config == shallow


def test_a_newer_format_is_refused_by_name(folder, tmp_path):
    edit(folder, format=FORMAT + 1)
    assert refused(lambda: load_world_model(folder)).endswith(
        f"has format {FORMAT + 1}, newer than the {FORMAT} that this version reads"
    )
    save_training(tmp_path / "training", {}, {"format": FORMAT + 1})
    assert f"newer than the {FORMAT}" in refused(lambda: load_training(tmp_path / "training"))


def test_weights_of_another_architecture_are_refused_with_the_tensor_that_differs(folder, model):
    edit(folder, world_model=vars(replace(model.config, mlp=48)))
    message = refused(lambda: load_world_model(folder))
    assert "weights of another architecture: core.imagining.mlp.0.bias is (32,), expected (48,)" in message


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_weights_with_a_tensor_too_few_or_too_many_are_refused(folder, change):
    weights = safetensors.torch.load_file(folder / WEIGHTS)
    if change == "missing":
        del weights["latent_mean"]
    else:
        weights["wings"] = torch.zeros(2)
    safetensors.torch.save_file(weights, folder / WEIGHTS)
    assert "weights of another architecture: " in refused(lambda: load_world_model(folder))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(folder, value):
    weights = safetensors.torch.load_file(folder / WEIGHTS)
    weights["core.read.weight"][0, 0] = value
    safetensors.torch.save_file(weights, folder / WEIGHTS)
    assert "core.read.weight holds numbers that are not finite" in refused(lambda: load_world_model(folder))


@pytest.mark.parametrize("share", [0, 0.001, 0.02, 0.5, 0.9999])
def test_truncated_weights_are_refused(folder, share):
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: int(share * len(whole))])
    assert f"{folder / WEIGHTS} cannot be read" in refused(lambda: load_world_model(folder))


def test_missing_weights_are_refused(folder):
    (folder / WEIGHTS).unlink()
    assert f"{folder / WEIGHTS} cannot be read" in refused(lambda: load_world_model(folder))


def test_a_pickle_is_refused_and_not_executed(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    torch.save(Trap(), folder / WEIGHTS)
    refused(lambda: load_world_model(folder))
    assert not (tmp_path / "sprung").exists()


def test_a_training_comes_back_as_it_was(tmp_path):
    tensors = {"weights.a": torch.rand(3, 4).t(), "optimizer.0.1.step": torch.tensor(3.0)}
    facts = {"identity": {"seed": 1, "horizons": [1, 2]}, "phase": 1, "step": 20}
    save_training(tmp_path / "training.safetensors", tensors, facts)
    loaded, found = load_training(tmp_path / "training.safetensors")
    assert found == {"format": FORMAT, **facts}
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)
    assert [path.name for path in tmp_path.iterdir()] == ["training.safetensors"]


def test_weights_alone_are_no_training(folder):
    assert "is not the state of a training" in refused(lambda: load_training(folder / WEIGHTS))


def test_the_largest_architecture_by_default_stays_below_a_million_parameters():
    world_model = WorldModelConfig()
    modules = (WorldModel(world_model), Policy(PolicyConfig(), world_model))
    assert sum(parameter.numel() for module in modules for parameter in module.parameters()) < 1_000_000
