"""Configurations: what cannot be is refused with the field, the bound and the value, and reading them needs no torch.

python -m pytest tests/models/test_config.py
"""

import math
import subprocess
import sys

import pytest

from models.config import (
    CheckConfig,
    DataConfig,
    EvaluationConfig,
    PolicyTraining,
    WorldModelConfig,
    WorldModelTraining,
)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (DataConfig, {"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        (DataConfig, {"episodes": 1.5}, "episodes must be a whole number of at least 1, got 1.5"),
        (DataConfig, {"endless": "no"}, "endless must be true or false, got 'no'"),
        (DataConfig, {"episodes": 3}, "shards must be at most the number of episodes (3), got 4"),
        (DataConfig, {"shards": 129}, "shards must be at most 128, got 129"),
        (WorldModelConfig, {"depth": 0}, "depth must be a whole number of at least 1, got 0"),
        (WorldModelConfig, {"depth": True}, "depth must be a whole number of at least 1, got True"),
        (WorldModelConfig, {"depth": 65}, "depth must be at most 64, got 65"),
        (WorldModelTraining, {"horizons": (3, 6)}, "horizons must be three numbers of at least 1, got (3, 6)"),
        (WorldModelTraining, {"horizons": (3, 0, 6)}, "horizons must be three numbers of at least 1, got (3, 0, 6)"),
        (WorldModelTraining, {"autoencoder_rate": 0.0}, "autoencoder_rate must be above 0 and at most 1, got 0.0"),
        (WorldModelTraining, {"dynamics_rate": math.nan}, "dynamics_rate must be above 0 and at most 1, got nan"),
        (WorldModelTraining, {"delta": math.nan}, "delta must be above 0, got nan"),
        (WorldModelTraining, {"average": 1.0}, "average must be at least 0 and below 1, got 1.0"),
        (PolicyTraining, {"rate": 1.01}, "rate must be above 0 and at most 1, got 1.01"),
        (PolicyTraining, {"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        (CheckConfig, {"largest_error": -1.0}, "largest_error must be above 0, got -1.0"),
        (EvaluationConfig, {"timesteps": 9}, "timesteps must be a whole number of at least 10, got 9"),
    ],
)
def test_a_value_out_of_its_range_is_refused(config, values, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        config(**values)
    assert str(caught.value) == message


@pytest.mark.parametrize("module", ["models.config", "components.configuration", "components.shards"])
def test_what_the_plan_reads_does_not_import_torch(module):
    subprocess.run([sys.executable, "-c", f"import {module}, sys; assert 'torch' not in sys.modules"], check=True)
