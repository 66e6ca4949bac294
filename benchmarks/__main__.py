"""Measure, print and write `docs/performance.md`: python -m benchmarks, or the groups that one names."""

import argparse
import importlib
import sys
from collections.abc import Iterator

from benchmarks.measure import Row

GROUPS: tuple[str, ...] = ()  # modules of this package, in the order of the table


def rows(group: str) -> Iterator[Row]:
    """The rows of one group."""
    return importlib.import_module(f"benchmarks.{group}").rows()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; by default all")
    options = parser.parse_args(arguments)
    for group in options.groups or GROUPS:
        for row in rows(group):
            print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
