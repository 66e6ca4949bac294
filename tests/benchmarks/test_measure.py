"""What a row says it reached, and pairs of timings: python -m pytest tests/benchmarks"""

import itertools

import pytest

from benchmarks.measure import Row, paired


@pytest.mark.parametrize(
    ("figure", "higher_is_better", "reached"),
    [
        (0.9, True, "aim"),
        (0.8, True, "aim"),
        (0.5, True, "must"),
        (0.44, True, "no"),
        (0.3, False, "aim"),
        (0.6, False, "must"),
        (0.9, False, "no"),
        (None, True, "not measured"),
    ],
)
def test_a_row_says_which_bound_its_figure_keeps(figure, higher_is_better, reached):
    must, aim = (0.45, 0.8) if higher_is_better else (0.8, 0.45)
    row = Row("what", "measured", "limit", figure, must, aim, higher_is_better=higher_is_better)
    assert row.reached == reached


def test_a_row_without_a_bound_reaches_nothing():
    assert Row("what", "measured", "limit", 2.0).reached == ""


def test_a_figure_is_shown_with_its_unit():
    assert Row("what", "measured", "limit", 1.5833, unit="%").shown == "1.58 %"
    assert Row("what", "measured", "limit", None, unit="%").shown == "–"


class Clock:
    """A clock that only moves when something is said to take time."""

    now = 0.0

    def takes(self, seconds):
        def call():
            self.now += seconds

        return call


def test_pairs_give_the_share_and_the_difference():
    clock = Clock()
    time = paired(clock.takes(0.4), clock.takes(0.1), clock=lambda: clock.now)
    assert (time.measured, time.limit, time.share, time.times) == pytest.approx((0.4, 0.1, 0.25, 4))
    assert time.difference == pytest.approx(0.3)


def test_a_machine_that_is_busy_now_and_then_changes_no_share():
    clock, turn = Clock(), itertools.count()
    slow = dict.fromkeys(range(8, 12), 50)  # both of two pairs

    def call(seconds):
        def waits():
            clock.now += seconds * slow.get(next(turn), 1)

        return waits

    time = paired(call(2.0), call(1.0), clock=lambda: clock.now, at_least=0)
    assert time.share == pytest.approx(0.5)
    assert time.measured == pytest.approx(2)


def test_what_is_short_is_repeated_until_it_can_be_timed():
    clock = Clock()
    calls: list[None] = []

    def short():
        calls.append(None)
        clock.now += 1e-4

    time = paired(short, clock.takes(1.0), clock=lambda: clock.now, pairs=3, at_least=0.05)
    assert len(calls) > 3 * 500
    assert time.measured == pytest.approx(1e-4)
