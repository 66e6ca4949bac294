"""The tables of the benchmarks: on the terminal, in `docs/performance.md`, and as JSON from machine to machine."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tabulate import tabulate

from benchmarks.measure import Plot, Row
from viewer.commit import commit

PACKAGES = ("numpy", "torch", "kfp", "gymnasium")
HEADS = ("what", "measured", "limit, measured in the same run", "figure", "must", "aim", "reached")
TEXT = """\
# How fast it is

Written by `make bench`, but for the section on a GPU, which says where it was measured. Each figure stands beside its
limit, which was measured in the same run, in turns with it, and is a share of the limit's speed or what its unit says:
the median of the turns' own shares, and so not quite the quotient of the two medians beside it. *Must* and *aim* are
bounds that the project sets itself, *reached* is the harder one that is kept. Times are CPU seconds of one thread,
medians, so that they hold on a busy machine too; where wall time is meant, the row says so.
"""


@dataclass(frozen=True)
class Machine:
    """What the figures of a run depend on."""

    when: str
    processor: str
    cores: int
    versions: str
    commit: str
    load: float  # the average of the last minute


def machine() -> Machine:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return Machine(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        _processor(),
        os.cpu_count() or 1,
        f"Python {platform.python_version()}, {packages}, {platform.system()} {platform.release()}",
        commit(7),
        os.getloadavg()[0],
    )


def table(rows: Sequence[Row]) -> str:
    """One table of all rows, as Markdown, which reads as well on a terminal."""
    cells = [
        [row.what, row.measured, row.limit, row.shown, row.kept(row.must), row.kept(row.aim), row.reached]
        for row in rows
    ]
    return tabulate(cells, HEADS, "github", disable_numparse=True)


def summary(rows: Sequence[Row]) -> str:
    """The table of the README: the figures that have a bound to keep."""
    cells = [
        [row.what, row.shown, row.kept(row.must), row.kept(row.aim), row.reached]
        for row in rows
        if row.must is not None
    ]
    return tabulate(cells, ("", "figure", "must", "aim", "reached"), "github", disable_numparse=True)


def document(
    begun: Machine, ended: Machine, sections: Mapping[str, Sequence[Row | Plot]], gpu: tuple[str, list[Row]] | None
) -> str:
    """`docs/performance.md`: a table for each section, its plots, and the table of a machine with a GPU."""
    facts = [
        ["command", "`make bench`"],
        ["machine", f"{begun.processor}, {begun.cores} cores; one thread"],
        ["versions", begun.versions],
        ["commit", begun.commit],
        ["when", f"{begun.when} to {ended.when}"],
        ["load average", f"{begun.load:.1f} at first, {ended.load:.1f} at the end"],
    ]
    rows = [item for items in sections.values() for item in items if isinstance(item, Row)]
    parts = [TEXT, tabulate(facts, ["", ""], "github") + "\n", f"## In short\n\n{summary(rows)}\n"]
    for title, items in sections.items():
        parts.append(f"## {title}\n\n{table([item for item in items if isinstance(item, Row)])}\n")
        parts += [f"![{item.title}]({item.name})\n" for item in items if isinstance(item, Plot)]
    if gpu:
        name, rows = gpu
        parts.append(f"## On a GPU\n\n{name}\n\n{table(rows)}\n")
    return "\n".join(parts)


def as_json(where: Machine, rows: Sequence[Row]) -> str:
    """The rows for another machine's `docs/performance.md`, as `read_json` takes them."""
    name = f"{where.processor}, {where.versions}, commit {where.commit}, {where.when}"
    return json.dumps({"machine": name, "rows": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False) + "\n"


def read_json(file: Path) -> tuple[str, list[Row]] | None:
    """The machine and the rows of a file that `as_json` made; None if there is no file.

    Raises:
        ValueError: it is not such a file.
    """
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return found["machine"], [Row(**row) for row in found["rows"]]
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{file} is not what python -m benchmarks --json writes: {error}") from error


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or sys.platform
