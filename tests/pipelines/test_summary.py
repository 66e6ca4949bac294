"""What the list of runs says of each: python -m pytest tests/pipelines/test_summary.py"""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.engine.housekeeping import Run
from pipelines.engine.record import RunRecord, TaskRecord
from pipelines.summary import listing

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def listed(tmp_path):
    """The columns of a run's line in the list, of its metrics and its age in seconds."""

    def listed(metrics, age=0.0):
        place, tasks = tmp_path / "measuring" / "a", [TaskRecord("measure", "0", metrics=metrics)]
        RunRecord("measuring", "a", "SUCCEEDED", BEGUN.isoformat(), 1.0, 1, {}, tasks=tasks).write(str(place))
        (place / "made").write_bytes(bytes(12_340_000))
        *_, line = listing([Run(str(place))], BEGUN + timedelta(seconds=age)).splitlines()
        return line.split(maxsplit=6)

    return listed


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(59, "59 s"), (60, "1 min"), (3599, "60 min"), (3600, "1 h"), (86400, "1 d"), (-5, "0 s")],
)
def test_an_age_is_told_in_the_largest_unit_that_it_reaches(listed, seconds, told):
    assert " ".join(listed({"accuracy": 0.5}, seconds)[2:4]) == told


def test_a_run_of_another_pipeline_is_listed_with_its_first_figures(listed):
    assert listed({"accuracy": 0.5, "kind": "new", "loss": 1.25, "more": 3}) == [
        "measuring/a",
        "succeeded",
        "0",
        "s",
        "12.3",
        "MB",
        "accuracy 0.5, loss 1.25",
    ]


def test_a_run_that_was_evaluated_is_listed_with_the_figures_that_say_how_good_it_is(listed):
    metrics = {"dream_h1_px": 0.1, "final_px_mean": 0.2, "settle_ratio": 1.25, "settled": 1.0, "dream_h5_px": 0.5}
    assert listed(metrics)[-1] == "dream_h5_px 0.5, settled 1, settle_ratio 1.25"
