"""What the row of the threads says of the machine: python -m pytest tests/benchmarks"""

import pytest

from benchmarks.measure import Paired
from benchmarks.threads import compared


@pytest.mark.parametrize(("load", "busy"), [(0.9, False), (4.5, True)])
def test_the_row_has_the_load_and_says_when_it_tells_nothing_of_an_idle_machine(load, busy):
    row = compared("policy", Paired(measured=0.6, limit=0.9, share=1.5, difference=-0.3), load, cores=2)
    assert row.figure == 1.5
    assert row.measured.startswith(f"50.0 ms a step; load average {load} on 2 cores")
    assert ("too busy" in row.measured) == busy
    assert row.limit == "with one thread: 75.0 ms"
