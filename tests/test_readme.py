"""The README's commands, as they stand there: python -m pytest tests/test_readme.py, and with -m long those that train.

What they train is held to what the preset promises, for three seeds.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest
from tiny_run import TINY

from components.configuration import PRESETS, resolve

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
COMPILE = "make compile"
TRAIN = [command for command in COMMANDS if "smoke" in command]
(CHAMPION,) = (command for command in TRAIN if "--champion" in command)
(PIXELS,) = (command for command in TRAIN if "raster=pixel" in command)
IN_EARNEST = [command for command in TRAIN if command not in (CHAMPION, PIXELS)]
OTHERS = [command for command in COMMANDS if command not in {*ELSEWHERE, *TRAIN, COMPILE}]


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


def test_what_the_readme_says_of_the_presets_is_what_they_are():
    for name in PRESETS:
        (row,) = re.findall(rf"(?m)^\| {name}\b.*\|$", TEXT)
        config = resolve(name, 0, {})
        dynamics, policy = config.world_model_training, config.policy_training
        learned = f"{dynamics.dynamics_steps} × {dynamics.dynamics_batch}", f"{policy.steps} × {policy.batch}"
        assert [cell.strip() for cell in row.split("|")[2:5]] == [str(config.data.episodes), *learned]


def test_the_table_of_the_readme_is_the_one_that_make_score_wrote():
    (table,) = re.findall(r"(?m)(?:^\|.*the original +\|.*\n)(?:^\|.*\n)+", TEXT)
    assert table in (ROOT / "docs/score.md").read_text(encoding="utf-8")
    assert table.count("\n") > 10


def test_the_figures_of_speed_are_those_that_make_bench_wrote():
    (table,) = re.findall(r"(?m)(?:^\|.*reached *\|\n)(?:^\|.*\n)+", TEXT)
    assert table in (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert table.count("\n") > 8


def test_smoke_is_trained_in_earnest_for_three_seeds():
    assert len({tuple(re.findall(r"--seed \d+", command)) for command in IN_EARNEST}) >= 3


@pytest.mark.long
@pytest.mark.parametrize("command", IN_EARNEST)
def test_a_run_of_the_readme_learns_what_smoke_promises(command):
    if "pipeline.yaml" in command:
        done(COMPILE)
    run = folder_of(done(command))
    assert_learned(evaluation(run))
    assert (run / "evaluate/0/evaluation/report.html").stat().st_size < 4_000_000


@pytest.mark.long
def test_a_run_on_whole_pixels_passes_the_check():
    run = folder_of(done(f"{PIXELS} {brief('policy_training', 'evaluation')}"))  # which come after it
    assert evaluation(run)["raster"] == "pixel"


@pytest.mark.long
def test_a_run_for_a_champion_says_what_came_of_it_and_the_other_commands_work_with_it():
    """A run of seconds: those that learn for a champion are in tests/test_recurring_runs.py."""
    ended = done(f"{CHAMPION} {brief()}")
    assert re.search("(?m)^nightly: ", ended.stdout)
    run = folder_of(ended)
    for command in sorted(OTHERS, key=lambda command: "--prune" in command):  # after which there is no run any more
        done(command.replace("RUN_ID", run.name))
    assert not run.exists()


def done(command: str) -> subprocess.CompletedProcess[str]:
    """What came of a command, which has to succeed."""
    ended = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended


def folder_of(ended: subprocess.CompletedProcess[str]) -> Path:
    """Of the run that a command has made."""
    return Path(re.findall("(?m)^run: (.*)$", ended.stderr)[0])


def brief(*parts: str) -> str:
    """Settings for a run of seconds, of all parts of the configuration or of these."""
    return " ".join(f"--set {name}={TINY[name]}" for name in TINY if not parts or name.partition(".")[0] in parts)


def evaluation(run: Path):
    return json.loads((run / "evaluate/0/evaluation/evaluation.json").read_text())


def assert_learned(evaluation):
    policy, zero_force = (evaluation["goal_reaching"]["controllers"][name] for name in ("policy", "zero_force"))
    assert policy["final_px_mean"] < zero_force["final_px_mean"] / 3
    assert policy["settled"] >= 0.9
    for dream in evaluation["dream"]:
        assert dream["centroid_error_px"]["mean"][0] < dream["copy_last_px"][0]
