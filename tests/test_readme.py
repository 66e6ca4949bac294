"""The README's commands, as they stand there: python -m pytest tests/test_readme.py, and with -m long those that train.

What they train is held to what the preset promises, for three seeds.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [re.sub("(?m)^    ", "", block) for block in re.findall(r"(?m)(?:^    .*\n)+", TEXT)]
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith(("make ", ".venv/bin/"))
]
# .ci/run calls the first; the second is `make run PRESET=smoke` for longer; the third takes as long and writes docs/.
ELSEWHERE = {"make test", "make run", "make bench"}
RUNS = ROOT / "runs" / "dreamblock"


def test_the_python_of_the_readme_runs():
    (code,) = [block for block in BLOCKS if block.startswith("import ")]
    names: dict = {}
    exec(code, names)
    assert names["observation"]["observation"].shape == (4, 32, 32)


def test_every_folder_that_the_readme_names_is_there():
    rows = re.findall(r"(?m)^\| `([\w/.]+)` \|", TEXT)
    assert len(rows) >= 7
    for name in rows:
        assert (ROOT / name).exists(), name


def test_the_table_of_the_readme_is_the_one_that_make_score_wrote():
    (table,) = re.findall(r"(?m)(?:^\|.*the original +\|.*\n)(?:^\|.*\n)+", TEXT)
    assert table in (ROOT / "docs/score.md").read_text(encoding="utf-8")
    assert table.count("\n") > 10


def test_the_figures_of_speed_are_those_that_make_bench_wrote():
    (table,) = re.findall(r"(?m)(?:^\|.*reached *\|\n)(?:^\|.*\n)+", TEXT)
    assert table in (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert table.count("\n") > 8


def runs() -> set[Path]:
    return {record.parent for record in RUNS.glob("*/run.json")}


@pytest.mark.long
def test_every_command_of_the_readme_works_and_smoke_learns_what_it_promises():
    seeds = set()
    for command in COMMANDS:
        if command in ELSEWHERE:
            continue
        before = runs()
        newest = max(before, key=lambda run: run.stat().st_mtime).name if before else ""
        subprocess.run(command.replace("RUN_ID", newest), shell=True, cwd=ROOT, check=True)
        for run in runs() - before:
            record = json.loads((run / "run.json").read_text())
            evaluation = json.loads((run / "evaluate/0/evaluation/evaluation.json").read_text())
            if evaluation["raster"] == "coverage":
                seeds.add(record["parameters"]["seed"])
                assert_learned(evaluation)
            assert (run / "evaluate/0/evaluation/report.html").stat().st_size < 4_000_000
    assert len(seeds) >= 3


def assert_learned(evaluation):
    policy, zero_force = (evaluation["goal_reaching"]["controllers"][name] for name in ("policy", "zero_force"))
    assert policy["final_px_mean"] < zero_force["final_px_mean"] / 3
    assert policy["settled"] >= 0.9
    for dream in evaluation["dream"]:
        assert dream["centroid_error_px"]["mean"][0] < dream["copy_last_px"][0]
