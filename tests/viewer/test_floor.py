"""The recorded Bayes floor: python -m pytest tests/viewer/test_floor.py"""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.config import EvaluationConfig
from sim_core.world import World
from viewer.floor import RECORD, WORLD, beside_floor, mean_floor


def test_whole_pixel_dreams_have_the_floor_beside_them_as_far_as_both_go(evaluation):
    evaluation["dream"][0]["horizon"] = list(range(1, 31))
    context_1, context_3, original = (dream["bayes_floor_px"] for dream in beside_floor(evaluation["dream"], WORLD))
    assert [len(floor) for floor in (context_1, context_3, original)] == [30, 25, 25]
    assert context_1[25:] == [None] * 5
    assert all(more > less for more, less in zip(context_1[:25], context_3, strict=True)), "more is seen"


@pytest.mark.parametrize("world", [World(), replace(WORLD, drag=0.02)])
def test_other_worlds_have_no_floor(evaluation, world):
    assert beside_floor(evaluation["dream"], world) == evaluation["dream"]


def test_episodes_that_it_was_not_recorded_of_have_no_floor(evaluation):
    evaluation["dream"][0]["set"] = "audit"
    assert "bayes_floor_px" not in beside_floor(evaluation["dream"], WORLD)[0]


def test_the_record_is_what_the_code_gives():
    """On a few of the episodes; with all, `python -m viewer.floor` changes no byte."""
    record = json.loads(RECORD.read_text())
    assert record["episodes"] == EvaluationConfig.episodes
    (entry,) = (e for e in record["dream"] if (e["set"], e["context"]) == ("as_the_original", 3))
    some = np.array(mean_floor("as_the_original", 3, 60))
    assert some[:8] == pytest.approx(np.array(entry["bayes_floor_px"][:8]), rel=0.2)
