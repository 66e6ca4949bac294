"""Episodes on disk: what the learners may see of them, and that a damaged or foreign shard is refused in one sentence.

python -m pytest tests/models/test_dataset.py
"""

import io
import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.dataset import Dataset
from sim_core.episodes import random_episodes
from sim_core.world import World

FILES = ("frames.npy", "forces.npy")


@pytest.fixture
def shard(tmp_path, write_episodes, world):
    return write_episodes(tmp_path / "shard", world, range(100), 4)


def array_file(header):
    """A file that claims to hold an array of that shape and type, with a few bytes in it."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + bytes(64)


def test_a_shard_holds_frames_and_forces_and_no_true_state(shard):
    assert sorted(path.name for path in shard.iterdir()) == ["forces.npy", "frames.npy", "world.json"]
    text = (shard / "world.json").read_text()
    assert "position" not in text
    assert "velocity" not in text


def test_the_frames_are_the_rendered_episodes_to_a_255th(shard, world):
    episodes = random_episodes("training", range(100), 4, world)
    frames = torch.cat(list(Dataset([shard]).chunks()))
    np.testing.assert_allclose(frames, episodes.observations(world), atol=0.5001 / 255)
    np.testing.assert_array_equal(Dataset([shard]).forces, episodes.forces)


def test_several_shards_are_one_dataset(tmp_path, write_episodes, world):
    whole = Dataset([write_episodes(tmp_path / "whole", world, range(100), 4)])
    parts = Dataset(
        [
            write_episodes(tmp_path / f"{part.start}", world, part, 4)
            for part in (range(1), range(1, 70), range(70, 100))
        ]
    )
    assert (parts.episodes, parts.timesteps) == (100, 5)
    assert torch.equal(parts.forces, whole.forces)
    assert torch.equal(torch.cat(list(parts.chunks())), torch.cat(list(whole.chunks())))
    episodes, timesteps = torch.from_numpy(np.random.default_rng(0).integers((100, 5), size=(500, 2)).T)
    assert torch.equal(parts.observations(episodes, timesteps), whole.observations(episodes, timesteps))
    every_frame = torch.cat(list(whole.chunks()))
    assert torch.equal(whole.observations(episodes, timesteps), every_frame[episodes, timesteps])


def test_another_worlds_size_or_frames_are_refused(shard, tiny):
    dataset = Dataset([shard])
    dataset.check(tiny)
    with pytest.raises(ValueError, match=r"^the dataset's world has size 16, the world model is for size 32$"):
        dataset.check(replace(tiny, size=32))
    with pytest.raises(ValueError, match=r"^the dataset's world has frames 2, the world model is for frames 4$"):
        dataset.check(replace(tiny, frames=4))


def test_frames_that_are_not_square_are_refused(shard, tiny):
    np.save(shard / "frames.npy", np.zeros((100, 5, 2, 16, 20), np.uint8))
    with pytest.raises(ValueError, match="size 20"):
        Dataset([shard]).check(tiny)


def test_shards_of_two_worlds_are_refused(tmp_path, shard, write_episodes, world):
    other = write_episodes(tmp_path / "other", World(size=20, frames=2), range(3), 4)
    with pytest.raises(ValueError, match=r"must be alike: .*other holds \(5, 2, 20, 20\), not \(5, 2, 16, 16\)$"):
        Dataset([shard, other])
    stronger = replace(world, force=2 * world.force)
    other = write_episodes(tmp_path / "stronger", stronger, range(3), 4)
    with pytest.raises(ValueError, match=r"must be alike: .*stronger is of World\(.*force=0.5"):
        Dataset([shard, other])
    with pytest.raises(ValueError, match="at least one shard"):
        Dataset([])


def test_forces_of_other_episodes_are_refused(tmp_path, shard, write_episodes, world):
    shutil.copy(write_episodes(tmp_path / "other", world, range(7), 4) / "forces.npy", shard)
    with pytest.raises(ValueError, match=r"holds forces \(7, 5, 2\) for frames \(100, 5, 2, 16, 16\)$"):
        Dataset([shard])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.9999])
def test_a_truncated_file_is_refused_by_name(shard, name, share):
    whole = (shard / name).read_bytes()
    (shard / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=f"{name} is not an array of episodes: "):
        Dataset([shard])


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(shard, name):
    (shard / name).unlink()
    with pytest.raises(ValueError, match=f"{name} is not an array of episodes: "):
        Dataset([shard])


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("shape", [(2**40, 5, 2, 16, 16), (2**62, 2**62, 2), (10**9, 17, 2), (-1, 5, 2)])
@pytest.mark.parametrize("descr", ["|u1", "<f4", "|O", "<U1000000000"])
def test_a_file_that_claims_to_be_huge_is_refused_without_memory_for_it(shard, name, shape, descr):
    (shard / name).write_bytes(array_file({"descr": descr, "fortran_order": False, "shape": shape}))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"{name} is not an array of episodes: "):
            Dataset([shard])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("array", [np.zeros(5, np.uint8), np.zeros((100, 5, 2, 16, 16)), np.zeros((100, 5, 2), "<i8")])
def test_an_array_of_another_kind_is_refused(shard, name, array):
    np.save(shard / name, array)
    with pytest.raises(ValueError, match=rf"{name} is not an array of episodes: it holds {array.dtype} "):
        Dataset([shard])


def test_whatever_stands_in_a_damaged_header_the_refusal_is_one_sentence(shard):
    whole = (shard / "forces.npy").read_bytes()
    draw = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[draw.integers(6, 70)] = draw.choice(bytearray(b"0('}{,: \n\x00\xff<f"))
        (shard / "forces.npy").write_bytes(damaged)
        try:
            Dataset([shard])
        except ValueError as error:
            assert "forces" in str(error)  # noqa: PT017
