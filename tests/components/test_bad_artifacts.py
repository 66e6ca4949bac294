"""Artifacts and checkpoints that are damaged, foreign or made to harm: refused in one sentence, nothing is executed.

python -m pytest tests/components/test_bad_artifacts.py
"""

import json
import pickle
import random
import shutil
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from components.storage import MANIFEST, verified, writing
from models.checkpoint import DESCRIPTION, WEIGHTS, load_training, load_world_model, save_training, save_world_model
from models.config import WorldModelConfig
from models.dataset import Dataset, write_shard
from models.phase import Batch, Phase
from models.training import CHECKPOINT, train
from models.world_model import WorldModel
from sim_core.episodes import random_episodes
from sim_core.world import World

PLACES = 50
SEED = 20261123
TINY = WorldModelConfig(size=16, frames=2, maps=8, latent=8, hidden=16, rank=6, state=16, lstm=16, mlp=32, memory=2)
DEEP = "[" * 100_000  # deeper than Python's parser can follow


@pytest.fixture
def model(tmp_path) -> Path:
    """The artifact of a world model."""
    with writing(tmp_path / "model") as folder:
        save_world_model(folder, WorldModel(TINY), World(size=16, frames=2))
    return tmp_path / "model"


@pytest.fixture
def shard(tmp_path) -> Path:
    """The artifact of a shard of the training set."""
    world = World(size=16, frames=2)
    with writing(tmp_path / "shard") as folder:
        write_shard(folder, random_episodes("training", range(3), 4, world), world)
    return tmp_path / "shard"


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    """The checkpoint of a training of three steps."""
    go_on(tmp_path)
    return tmp_path / CHECKPOINT


def go_on(folder: Path) -> None:
    """Train from the checkpoint in the folder."""
    layer = torch.nn.Linear(2, 2)
    phase = Phase(
        "only",
        3,
        1,
        0.01,
        0.5,
        lambda: layer,
        lambda step: Batch((), ()),
        lambda batch: (layer(torch.ones(1, 2)).square().sum(), {}),
    )
    train(layer, [phase], folder, {"seed": 0})


def refusal(load, *arguments) -> str:
    """The one sentence with which something is refused."""
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as refused:
        load(*arguments)
    return str(refused.value)


def sealed(artifact: Path, name: str, content: bytes) -> Path:
    """The artifact with another file in it, and a manifest that vouches for it: made to harm, not damaged."""
    files = {file.name: file.read_bytes() for file in artifact.iterdir() if file.name != MANIFEST} | {name: content}
    with writing(artifact) as folder:
        for other, kept in files.items():
            (folder / other).write_bytes(kept)
    return verified(artifact)


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :]


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
def test_a_bit_flipped_anywhere_in_an_artifact_is_noticed_and_the_file_named(model, name):
    whole = (model / name).read_bytes()
    for place in random.Random(SEED).sample(range(len(whole)), PLACES):
        (model / name).write_bytes(flipped(whole, place))
        assert f"the checksum of {name}" in refusal(verified, model)


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
def test_an_artifact_truncated_anywhere_is_noticed_and_the_file_named(model, name):
    whole = (model / name).read_bytes()
    for size in random.Random(SEED).sample(range(len(whole)), PLACES):
        (model / name).write_bytes(whole[:size])
        assert f"{name} has {size} bytes" in refusal(verified, model)


def test_a_bit_flipped_anywhere_in_a_manifest_is_noticed_or_changes_nothing(model):
    whole = (model / MANIFEST).read_bytes()
    for place in range(len(whole)):
        (model / MANIFEST).write_bytes(flipped(whole, place))
        with suppress(ValueError):
            verified(model)
            assert json.loads((model / MANIFEST).read_text())["files"] == json.loads(whole)["files"]


def test_a_checkpoint_truncated_anywhere_is_refused(checkpoint):
    whole = checkpoint.read_bytes()
    for size in random.Random(SEED).sample(range(len(whole)), PLACES):
        checkpoint.write_bytes(whole[:size])
        assert str(checkpoint) in refusal(go_on, checkpoint.parent)


def test_a_bit_flipped_anywhere_in_a_checkpoint_is_refused_or_changes_nothing(checkpoint):
    whole = checkpoint.read_bytes()
    tensors, facts = load_training(checkpoint)
    for place in random.Random(SEED).sample(range(len(whole)), PLACES * 4):
        checkpoint.write_bytes(flipped(whole, place))
        with suppress(ValueError):
            same, same_facts = load_training(checkpoint)
            assert same_facts == facts
            assert all(torch.equal(same[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\0" * 1000,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**40) + b"{}" * 100,
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", len(DEEP)) + DEEP.encode(),
        b"not weights at all",
        pickle.dumps({"weights": [1.0]}),
        b"\x89HDF\r\n\x1a\n" + b"\0" * 100,
        b"GGUF\x03\0\0\0" + b"\0" * 100,
        b"\x93NUMPY\x01\x00" + b"\0" * 100,
    ],
    ids=lambda content: content[:10].hex(),
)
def test_a_foreign_file_in_place_of_weights_or_of_a_checkpoint_is_refused(model, checkpoint, content):
    assert WEIGHTS in refusal(load_world_model, sealed(model, WEIGHTS, content))
    checkpoint.write_bytes(content)
    assert CHECKPOINT in refusal(go_on, checkpoint.parent)


@pytest.mark.parametrize("shape", [[2**40], [2**62, 2**62], [-1], [1.5], ["1"], [10**30]])
def test_weights_whose_header_claims_a_shape_that_they_have_not_are_refused_without_memory_for_it(model, shape):
    header = json.dumps({"core.read.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 2**42]}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(16)
    assert WEIGHTS in refusal(load_world_model, sealed(model, WEIGHTS, content))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int32, torch.bool])
def test_weights_of_another_type_are_refused_or_are_numbers(model, dtype):
    weights = safetensors.torch.load_file(model / WEIGHTS)
    content = safetensors.torch.save({name: tensor.to(dtype) for name, tensor in weights.items()})
    with suppress(ValueError):
        loaded = load_world_model(sealed(model, WEIGHTS, content))
        assert all(tensor.dtype == torch.float32 for tensor in loaded.state_dict().values())


def test_weights_of_another_project_are_refused_with_the_first_name_that_differs(model):
    theirs = {"transformer.wte.weight": torch.zeros(8, 8), "transformer.h.0.attn.c_attn.weight": torch.zeros(8, 24)}
    sentence = refusal(load_world_model, sealed(model, WEIGHTS, safetensors.torch.save(theirs)))
    assert "weights of another architecture" in sentence


def test_an_archive_of_another_project_is_no_artifact(tmp_path):
    theirs = tmp_path / "their-model"
    theirs.mkdir()
    (theirs / "config.json").write_text(json.dumps({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}))
    (theirs / "model.safetensors").write_bytes(safetensors.torch.save({"wte": torch.zeros(2, 2)}))
    assert MANIFEST in refusal(verified, theirs)
    (theirs / MANIFEST).write_text(json.dumps({"manifest_version": 3, "name": "an extension of a browser"}))
    assert "names no format" in refusal(verified, theirs)
    with zipfile.ZipFile(tmp_path / "their-model.zip", "w") as archive:
        archive.write(theirs / "config.json", "config.json")
    assert "their-model.zip" in refusal(verified, tmp_path / "their-model.zip")


def test_a_file_that_is_not_one_is_refused(model, tmp_path):
    for name in (WEIGHTS, DESCRIPTION):
        broken = tmp_path / f"with-{name}"
        shutil.copytree(model, broken)
        (broken / name).unlink()
        (broken / name).mkdir()
        assert name in refusal(verified, broken)
    (model / MANIFEST).unlink()
    (model / MANIFEST).mkdir()
    assert MANIFEST in refusal(verified, model)


def test_a_link_out_of_an_artifact_vouches_for_nothing_else(model, tmp_path):
    (tmp_path / "secret").write_bytes(b"elsewhere")
    (model / WEIGHTS).unlink()
    (model / WEIGHTS).symlink_to(tmp_path / "secret")
    assert WEIGHTS in refusal(verified, model)


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        "1" * 5000,
        '{"format": 1, "world_model": ' + DEEP,
        '{"format": true, "world_model": {}}',
        '{"format": 1e999}',
    ],
    ids=["deep", "long", "deep-inside", "true", "infinite"],
)
def test_a_description_made_to_harm_is_refused(model, text):
    assert DESCRIPTION in refusal(load_world_model, sealed(model, DESCRIPTION, text.encode()))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", DEEP, '{"size": 0}', '{"raster": ""}', '{"wings": 2}'])
def test_a_shard_that_does_not_know_its_world_is_refused(shard, text):
    assert str(shard) in refusal(Dataset, [sealed(shard, "world.json", text.encode())])


def test_arrays_made_to_harm_are_refused_and_nothing_in_them_is_executed(shard, tmp_path):
    class Trap:
        def __reduce__(self):
            return tmp_path.joinpath("sprung").touch, ()

    np.save(tmp_path / "trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    trap = (tmp_path / "trap.npy").read_bytes()
    code = f"__import__('pathlib').Path({str(tmp_path / 'sprung')!r}).touch()"
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({code},)}}\n".encode().ljust(192)
    called = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    for name in ("frames.npy", "forces.npy"):
        for content in (trap, called, pickle.dumps(Trap())):
            harmful = shutil.copytree(shard, tmp_path / f"{len(content)}-{name}")
            assert name in refusal(Dataset, [sealed(harmful, name, content)])
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"identity": {"seed": 0}},
        {"identity": []},
        {"identity": None, "phase": 0, "step": 1, "rows": []},
        {"identity": {"seed": 0}, "phase": "0", "step": 1, "rows": []},
        {"identity": {"seed": 0}, "phase": -1, "step": 1, "rows": []},
        {"identity": {"seed": 0}, "phase": 0, "step": 10**18, "rows": []},
        {"identity": {"seed": 0}, "phase": 10**18, "step": 0, "rows": []},
        {"identity": {"seed": 0}, "phase": 0, "step": 1.5, "rows": []},
        {"identity": {"seed": 0}, "phase": 0, "step": 1, "rows": {}},
        {"identity": {"seed": 0}, "phase": 0, "step": 1, "rows": [3]},
        {"identity": {"seed": 0}, "phase": True, "step": False, "rows": []},
    ],
    ids=str,
)
def test_a_checkpoint_whose_facts_make_no_sense_is_refused(checkpoint, facts):
    tensors, _ = load_training(checkpoint)
    save_training(checkpoint, tensors, facts)
    assert CHECKPOINT in refusal(go_on, checkpoint.parent)


@pytest.mark.parametrize("change", ["none", "foreign", "other shape", "not finite"])
def test_a_checkpoint_whose_tensors_do_not_fit_is_refused(checkpoint, change):
    tensors, facts = load_training(checkpoint)
    weight = tensors["weights.weight"]
    changed = {
        "none": {},
        "foreign": {"transformer.wte.weight": weight},
        "other shape": tensors | {"weights.weight": torch.zeros(3, 3)},
        "not finite": tensors | {"weights.weight": weight * torch.nan},
    }[change]
    save_training(checkpoint, changed, {name: fact for name, fact in facts.items() if name != "format"})
    assert CHECKPOINT in refusal(go_on, checkpoint.parent)
