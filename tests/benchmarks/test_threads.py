"""What the row of the threads says of the machine: python -m pytest tests/benchmarks"""

from types import SimpleNamespace

import pytest

from benchmarks import threads
from benchmarks.measure import Paired
from benchmarks.threads import compared


@pytest.mark.parametrize(("load", "busy"), [(0.1, False), (0.9, True)])
def test_the_row_says_how_busy_it_was_and_when_it_tells_nothing_of_an_idle_machine(load, busy):
    row = compared("policy", Paired(measured=0.6, limit=0.9, share=1.5, difference=-0.3), load, cores=2)
    assert row.figure == 1.5
    assert row.measured.startswith(f"50.0 ms a step; others were at {load} of 2 cores")
    assert ("too many" in row.measured) == busy
    assert row.limit == "with one thread: 75.0 ms"


def test_what_others_do_is_counted_in_cores(monkeypatch, tmp_path):
    counts = iter(["cpu 100 0 0 300 0 0 0 0 0 0\n", "cpu 130 0 10 440 20 0 0 0 0 0\n"])
    monkeypatch.setattr(threads, "STATISTICS", SimpleNamespace(read_text=lambda: next(counts)))
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 4)
    assert threads.cores_at_work(0.01) == pytest.approx(4 * 40 / 200)


def test_where_the_system_counts_nothing_it_is_the_load(monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "STATISTICS", tmp_path / "none")
    monkeypatch.setattr(threads.os, "getloadavg", lambda: (1.5, 0, 0))
    assert threads.cores_at_work() == 1.5
