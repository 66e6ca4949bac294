"""Episodes on disk as the learners may see them, frames and forces and no true state, mapped into memory."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from models.config import WorldModelConfig
from sim_core.episodes import Episodes
from sim_core.raster import render
from sim_core.world import World

CHUNK = 64  # episodes rendered, or read, at a time
CACHED = 16  # episodes at a time whose frames a core's cache holds as floats


def write_shard(folder: Path, parts: Iterable[Episodes], world: World) -> None:
    """Render episodes into an existing folder: `frames.npy`, `forces.npy` and, for whoever reads them, `world.json`.

    They come in parts, equally long, so that a shard of any size is made in the memory of one part.
    """
    count = 0
    # Mapped into memory, a full disk would kill the process.
    with (folder / "frames.npy").open("wb") as frames, (folder / "forces.npy").open("wb") as forces:
        for part in parts:
            if not count:
                timesteps = part.forces.shape[1]
                sides = (timesteps, world.frames, world.size, world.size)
                _write_header(frames, np.uint8, (0, *sides))
                _write_header(forces, np.float32, (0, timesteps, 2))
                out = np.empty((CHUNK, *sides), np.uint8)
            for first in range(0, len(part.forces), CHUNK):
                positions = part.positions[first : first + CHUNK]
                frames.write(render(positions, world, np.uint8, out[: len(positions)]).data)
            forces.write(part.forces.tobytes())
            count += len(part.forces)
        # The headers leave room for the number of episodes, which is only known now.
        _write_header(frames, np.uint8, (count, *sides))
        _write_header(forces, np.float32, (count, timesteps, 2))
    (folder / "world.json").write_text(json.dumps(dataclasses.asdict(world), indent=1))


def _write_header(file: BinaryIO, dtype: type, shape: tuple[int, ...]) -> None:
    """The beginning of an `.npy`, whose length is the same for any number of episodes."""
    file.seek(0)
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


class Dataset:
    """The episodes of several shards as one. Frames stay on disk until they are asked for."""

    def __init__(self, shards: Sequence[Path]):
        if not shards:
            raise ValueError("a dataset needs at least one shard, got none")
        self.shards = [_map(folder / "frames.npy", np.uint8, 5) for folder in shards]
        forces = [np.array(_map(folder / "forces.npy", np.float32, 3)) for folder in shards]  # no map is kept
        self.world = _world(shards[0])
        first = self.shards[0].shape[1:]
        for folder, shard, pushed in zip(shards, self.shards, forces, strict=True):
            if shard.shape[1:] != first:
                raise ValueError(
                    f"the shards of a dataset must be alike: {folder} holds {shard.shape[1:]}, not {first}"
                )
            if (world := _world(folder)) != self.world:
                raise ValueError(f"the shards of a dataset must be alike: {folder} is of {world}, not {self.world}")
            if pushed.shape != (*shard.shape[:2], 2):
                raise ValueError(f"{folder} holds forces {pushed.shape} for frames {shard.shape}")
        self.forces: Float[Tensor, "episodes timesteps 2"] = torch.from_numpy(np.concatenate(forces))
        self.starts = np.cumsum([0, *(len(shard) for shard in self.shards)])
        self.episodes, self.timesteps = len(self.forces), first[0]

    def check(self, config: WorldModelConfig) -> None:
        """Raise ValueError where the frames are not of the size that a world model is for."""
        frames, height, width = self.shards[0].shape[2:]
        for what, ours, theirs in (
            ("size", height, config.size),
            ("size", width, config.size),
            ("frames", frames, config.frames),
        ):
            if ours != theirs:
                raise ValueError(f"the dataset's world has {what} {ours}, the world model is for {what} {theirs}")

    def on(self, device: torch.device) -> "Dataset":
        """This dataset for trainings on a device: a GPU is given all frames at once, a byte a pixel."""
        return OnGPU(self, device) if device.type == "cuda" else self

    def observations(
        self, episodes: Int[Tensor, " batch"], timesteps: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch frames size size"]:
        """Single observations, frames in 0..1."""
        return as_frames(self._pixels(episodes.numpy(), timesteps.numpy()))

    def _pixels(self, episodes: Int[np.ndarray, " batch"], timesteps: Int[np.ndarray, " batch"]) -> np.ndarray:
        shard = np.searchsorted(self.starts, episodes, side="right") - 1
        out = np.empty((len(episodes), *self.shards[0].shape[2:]), np.uint8)
        for i in np.unique(shard):
            mine = shard == i
            out[mine] = self.shards[i][episodes[mine] - self.starts[i], timesteps[mine]]
        return out

    def chunks(self) -> Iterator[Float[Tensor, "episodes timesteps frames size size"]]:
        """All observations in order, a few episodes at a time."""
        for shard in self.shards:
            for first in range(0, len(shard), CHUNK):
                yield as_frames(shard[first : first + CHUNK])


class OnGPU(Dataset):
    """A dataset whose frames lie in a GPU's memory, and are made of their bytes there."""

    def __init__(self, dataset: Dataset, device: torch.device):
        vars(self).update(vars(dataset))
        self.forces = dataset.forces.to(device)
        self.frames = torch.empty((self.episodes, *dataset.shards[0].shape[1:]), dtype=torch.uint8, device=device)
        for first, shard in zip(self.starts, self.shards, strict=False):
            for part in range(0, len(shard), CHUNK):
                there = self.frames[first + part : first + part + CHUNK]
                there.copy_(torch.from_numpy(np.array(shard[part : part + CHUNK])))

    def observations(self, episodes, timesteps):
        return self.frames[episodes, timesteps].float() / 255

    def chunks(self):
        return in_chunks(self.frames)


def random_timesteps(dataset: Dataset, draw: np.random.Generator, batch: int) -> tuple[Tensor, Tensor]:
    """Episodes and timesteps of single observations, uniformly."""
    episodes, timesteps = (draw.integers(limit, size=batch) for limit in (dataset.episodes, dataset.timesteps))
    return torch.from_numpy(episodes), torch.from_numpy(timesteps)


def in_chunks(
    pixels: UInt8[Tensor, "episodes timesteps frames size size"],
) -> Iterator[Float[Tensor, "_ timesteps frames size size"]]:
    """Pixels as frames in 0..1, a few episodes at a time."""
    for part in pixels.split(CHUNK if pixels.is_cuda else CACHED):
        yield part.float().div_(255)


def as_frames(pixels: np.ndarray) -> Tensor:
    """uint8 pixels as float32 frames in 0..1."""
    return torch.from_numpy(np.divide(pixels, 255, dtype=np.float32))


def _world(folder: Path) -> World:
    try:
        described = json.loads((folder / "world.json").read_text())
        world = World(**described)
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{folder} does not say of which world its episodes are: {error}") from error
    if dataclasses.asdict(world) != described:
        raise ValueError(f"{folder} does not say of which world its episodes are: world.json is not complete")
    return world


def _map(path: Path, dtype: type, axes: int) -> np.ndarray:
    """An array that stays on disk. Nothing is allocated for what a file only claims to hold."""
    try:
        array = np.lib.format.open_memmap(path, "r")
    except Exception as error:  # numpy reads the header with Python's parser, which has its own errors
        raise ValueError(f"{path} is not an array of episodes: {error}") from error
    if array.ndim != axes or array.dtype != dtype:
        raise ValueError(f"{path} is not an array of episodes: it holds {array.dtype} {array.shape}")
    return array
