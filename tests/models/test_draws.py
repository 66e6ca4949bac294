"""Random draws: a function of seed, stream, step and sample, and of nothing that happened before.

python -m pytest tests/models/test_draws.py
"""

import itertools

import numpy as np
import torch

from models.draws import generator


def test_a_draw_depends_on_nothing_that_was_drawn_before():
    expected = generator(5, "policy", 17).random(8)
    np.random.default_rng(0).random(100)
    torch.rand(100)
    for step in (16, 18, 17):
        again = generator(5, "policy", step).random(8)
    np.testing.assert_array_equal(again, expected)


def test_every_seed_stream_and_step_draws_something_else():
    places = list(itertools.product((0, 1, 2**40), ("autoencoder", "dynamics", "policy"), (0, 1, 100_000)))
    draws = {tuple(generator(*place).integers(2**62, size=2)) for place in places}
    assert len(draws) == len(places)


def test_a_sample_is_the_same_in_a_smaller_and_in_a_larger_batch():
    few, many = (generator(1, "dynamics", 3).integers(1000, size=size) for size in (8, 256))
    np.testing.assert_array_equal(few, many[:8])
