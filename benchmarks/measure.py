"""A row of the table, and timings in pairs, whose ratio holds on a busy machine."""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

PAIRS = 7  # of timings; the medians are reported


@dataclass(frozen=True)
class Row:
    """One line of `docs/performance.md`: what was measured, beside its limit.

    `figure` is what `must` and `aim` bound: a share of the limit's speed, a multiple of its time, or a figure with a
    `unit` of its own ("ms", "s", "%"). None is a figure that could not be had, for which `measured` says why.
    """

    what: str
    measured: str  # for a person, with its unit
    limit: str  # what the limit is and what it came to in the same run, with its unit; "" where there is none
    figure: float | None
    must: float | None = None
    aim: float | None = None
    unit: str = ""
    higher_is_better: bool = True

    @property
    def shown(self) -> str:
        """The figure for a person, with its unit."""
        return "–" if self.figure is None else self._with_unit(self.figure)

    def kept(self, bound: float | None) -> str:
        """What keeps a bound, for a person: "≥ 0.7", "≤ 5 %"; empty without one."""
        return "" if bound is None else f"{'≥' if self.higher_is_better else '≤'} {self._with_unit(bound)}"

    def _with_unit(self, value: float) -> str:
        return f"{value:.3g} {self.unit}".rstrip()

    @property
    def reached(self) -> str:
        """The hardest bound that the figure keeps: "aim", "must" or, of those that there are, "no"; "" without any."""
        bounds = [(name, bound) for name, bound in (("aim", self.aim), ("must", self.must)) if bound is not None]
        if not bounds or self.figure is None:
            return "" if not bounds else "not measured"
        sign = 1 if self.higher_is_better else -1
        return next((name for name, bound in bounds if sign * self.figure >= sign * bound), "no")


@dataclass(frozen=True)
class Plot:
    """A curve that a group shows below its rows: an inline SVG, and the name of the file that it gets in `docs/`."""

    name: str
    title: str
    svg: str


@dataclass(frozen=True)
class Paired:
    """Two timings, a measured and a limit, taken in turns; medians."""

    measured: float  # seconds a call
    limit: float  # seconds a call
    share: float  # limit / measured: the share of the limit's speed that is reached
    difference: float  # measured - limit, seconds a call

    @property
    def times(self) -> float:
        """How many times as long as the limit it takes."""
        return 1 / self.share


def paired(
    measured: Callable[[], object],
    limit: Callable[[], object],
    *,
    pairs: int = PAIRS,
    at_least: float = 0.05,
    clock: Callable[[], float] = time.process_time,
) -> Paired:
    """Time `measured` and `limit` in turns, so that whatever else the machine does meets both alike.

    Args:
        at_least: seconds that one timing takes; a call that is shorter is repeated.
        clock: `time.process_time` for CPU time, `children_time` for that of subprocesses, `time.perf_counter` for what
            waits.
    """
    counts = [_repetitions(call, at_least, clock) for call in (measured, limit)]
    seconds = [
        [_seconds(call, count, clock) for call, count in zip((measured, limit), counts, strict=True)]
        for _ in range(pairs)
    ]
    return Paired(
        statistics.median(ours for ours, _ in seconds),
        statistics.median(limits for _, limits in seconds),
        statistics.median(limits / ours for ours, limits in seconds),
        statistics.median(ours - limits for ours, limits in seconds),
    )


def children_time() -> float:
    """CPU seconds of the subprocesses that have ended; a clock for `paired`."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _repetitions(call: Callable[[], object], at_least: float, clock: Callable[[], float]) -> int:
    """How often to call for one timing. It also warms up what is slow at first."""
    call()
    count = 1
    while (seconds := _seconds(call, count, clock) * count) < at_least:
        count = max(2 * count, int(count * at_least / max(seconds, 1e-9)) if seconds > at_least / 10 else 0)
    return count


def _seconds(call: Callable[[], object], count: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(count):
        call()
    return (clock() - start) / count
