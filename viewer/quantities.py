"""Figures as a person reads them: shares as percentages, the rest to a precision that means something."""

from collections.abc import Sequence

UNKNOWN = "–"


def quantity(value: float | None, unit: str = "") -> str:
    """A figure with its unit; "%" takes a share."""
    return UNKNOWN if value is None else rounded([value], unit)[0] + (unit and f"\N{NO-BREAK SPACE}{unit}")


def with_interval(value: float | None, interval: Sequence[float] | None, unit: str = "") -> str:
    """A figure and the bounds of its interval, as far as they could be computed: "0.59 (0.54 to 0.63)"."""
    if value is None or interval is None:
        return quantity(value, unit)
    return f"{quantity(value, unit)} ({' to '.join(rounded([value, *interval], unit)[1:])})"


def rounded(values: Sequence[float], unit: str) -> list[str]:
    """Figures without their unit, all to the precision that the first one asks for."""
    if unit == "%":
        return [f"{100 * value:.1f}" for value in values]
    decimals = 3 if values[0] < 0.1 else 2 if values[0] < 10 else 1
    return [f"{value:.{decimals}f}" for value in values]
