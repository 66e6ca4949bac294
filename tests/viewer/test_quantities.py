"""How figures are written: python -m pytest tests/viewer/test_quantities.py"""

import pytest

from viewer.quantities import quantity, with_interval


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.0123, "px", "0.012 px"),
        (0.589, "px", "0.59 px"),
        (14.44, "px", "14.4 px"),
        (0.0999, "", "0.100"),
        (0.1, "", "0.10"),
        (9.99, "", "9.99"),
        (10.0, "", "10.0"),
        (0.984, "%", "98.4 %"),
        (1.1, "", "1.10"),
        (None, "px", "–"),
    ],
)
def test_a_figure_is_as_precise_as_it_means_something(value, unit, written):
    assert quantity(value, unit).replace("\N{NO-BREAK SPACE}", " ") == written


def test_an_interval_is_as_precise_as_its_figure():
    assert with_interval(9.98, [9.91, 10.13]) == "9.98 (9.91 to 10.13)"
    assert with_interval(0.5, None) == "0.50"
    assert with_interval(None, None, "%") == "–"
