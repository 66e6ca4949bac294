"""The process is set up for speed, and never at the cost of what a float32 holds.

python -m pytest tests/models/test_process.py
"""

import torch

from models.process import prepare


def test_matrix_products_keep_the_precision_of_float32():
    prepare()
    torch.manual_seed(0)
    a, b = torch.randn(256, 130), torch.randn(130, 256)
    assert (a @ b - a.double() @ b.double()).abs().max() < 1e-4  # bfloat16 would be off by .1
