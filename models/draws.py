"""Random draws that are a function of (seed, stream, step, sample) alone, so that nothing random needs to be saved."""

import zlib

import numpy as np


def generator(seed: int, stream: str, step: int) -> np.random.Generator:
    """The generator of one step. Row i of each array drawn from it is sample i of the step's whole batch."""
    key = np.random.SeedSequence([seed, zlib.crc32(stream.encode())]).generate_state(1, np.uint64)[0]
    return np.random.Generator(np.random.Philox(key=np.array([key, step], np.uint64)))
