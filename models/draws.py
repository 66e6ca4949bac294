"""Random draws that are a function of (seed, stream, step, sample) alone, so that nothing random needs to be saved."""

import zlib
from functools import cache

import numpy as np


def generator(seed: int, stream: str, step: int) -> np.random.Generator:
    """The generator of one step. Row i of each array drawn from it is sample i of the step's whole batch."""
    return np.random.Generator(np.random.Philox(key=np.array([_key(seed, stream), step], np.uint64)))


@cache
def _key(seed: int, stream: str) -> np.uint64:
    return np.random.SeedSequence([seed, zlib.crc32(stream.encode())]).generate_state(1, np.uint64)[0]
