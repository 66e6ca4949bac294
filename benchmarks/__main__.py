"""Measure, print and write `docs/performance.md`: python -m benchmarks, or the groups that one names.

A machine with a GPU writes what it measured with --json; its table goes into `docs/performance.md` with the next run.
"""

import importlib
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from benchmarks.measure import Plot, Row
from benchmarks.report import Machine, as_json, document, machine, read_json, table
from viewer.command_line import command_parser, require_writable, stoppable

# The groups, modules of this package, in the order of the tables, and what is above each.
GROUPS = {
    "simulator": "Simulator",
    "training": "Training",
    "feeding": "Feeding the trainer",
    "threads": "Threads",
    "evaluation": "Evaluation",
    "runner": "In-process runner",
    "start_up": "Start-up",
    "quality": "From nothing to a policy",
    "growth": "Growth",
}
ON_GPU = "gpu"  # a group of its own, for a machine that has one
DOCS = Path(__file__).parents[1] / "docs"
PAGE, GPU = "performance.md", "performance-gpu.json"  # in DOCS; the second of a machine that has one

EXAMPLES = """\
examples:
  python -m benchmarks
      all groups but gpu, on a machine that is quiet; the table and docs/performance.md
  python -m benchmarks simulator start_up
      these alone; the table, and no file
  python -m benchmarks gpu --json docs/performance-gpu.json
      on a machine with a GPU; its table goes into docs/performance.md when all is measured next"""


@stoppable
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("benchmarks", __doc__.partition(":")[0] + ".", EXAMPLES)
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}, by default all of these, or {ON_GPU}"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the rows into this file, for another machine")
    options = parser.parse_args(arguments)
    try:
        groups = [known(name) for name in options.groups] or list(GROUPS)
        gpu = read_json(DOCS / GPU)
        if options.json:
            require_writable(options.json)
        if not options.groups:
            require_writable(DOCS / PAGE)
        begun = machine()
        found = {group: list(measured(group)) for group in groups}
    except ValueError as error:
        print(f"python -m benchmarks: error: {error}", file=sys.stderr)
        return 2
    rows = [row for group in found.values() for row in group if isinstance(row, Row)]
    print(table(rows))
    if options.json:
        options.json.write_text(as_json(begun, rows), encoding="utf-8")
    if not options.groups:
        write(begun, found, gpu)
    return 0


def known(name: str) -> str:
    """The name of a group that there is; else a ValueError with the nearest."""
    groups = [*GROUPS, ON_GPU]
    if name in groups:
        return name
    nearest = get_close_matches(name, groups, n=1, cutoff=0)[0]
    raise ValueError(f"there is no group {name!r}, the nearest of {', '.join(groups)} is {nearest!r}")


def measured(group: str) -> Iterator[Row | Plot]:
    """What a group measures, told as it comes."""
    print(f"{group} ...", file=sys.stderr, flush=True)
    for item in importlib.import_module(f"benchmarks.{group}").rows():
        if isinstance(item, Row):
            print(f"  {item.what}: {item.shown} {item.reached}", file=sys.stderr, flush=True)
        yield item


def write(begun: Machine, found: dict[str, list[Row | Plot]], gpu: tuple[str, list[Row]] | None) -> None:
    """`docs/performance.md` and its plots."""
    for plot in (item for items in found.values() for item in items if isinstance(item, Plot)):
        (DOCS / plot.name).write_text(plot.svg, encoding="utf-8")
    sections = {GROUPS[group]: items for group, items in found.items()}
    (DOCS / PAGE).write_text(document(begun, machine(), sections, gpu), encoding="utf-8")
    print(f"written: {DOCS / PAGE}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
