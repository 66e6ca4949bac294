"""The page of what each part brings: python -m pytest tests/viewer/learning/test_page.py"""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from viewer.learning.__main__ import PAGE, RESULTS, main
from viewer.learning.variants import FULL, TINY

ROOT = Path(__file__).parents[3]


def put(folder, variant, seed, figures, lengths=FULL):
    result = {"schema": 1, "variant": variant, "seed": seed, "lengths": asdict(lengths), "cpu_seconds": 100.0}
    result |= {"torch": "2.0", "commit": "0", "figures": figures}
    (folder / f"{variant}-{seed}.json").write_text(json.dumps(result))


def dreams(h10, precision=0.03):
    return {
        "horizon": [1, 5, 10],
        "error_px": [0.1, 0.5, h10],
        "median_px": [0.1, 0.4, 1.0],
        "precision_px": [None, precision, 0.03],
        "on_pixels_px": [0.1, 0.9, 3.0],
        "parameters": 1,
    }


GOALS = {
    "world_model": "1234567",
    "settled": 1.0,
    "settle_ratio": 1.1,
    "final_px_mean": 0.2,
    "held_1px": 0.99,
    "small_squares": 0.9,
}


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "learning"
    folder.mkdir()
    put(folder, "baseline", 0, dreams(2.0))
    put(folder, "baseline", 1, dreams(2.2))
    put(folder, "memory-1", 1, dreams(3.52, None))
    put(folder, "policy", 0, GOALS)
    return folder


def written(folder, *more):
    page = folder.with_suffix(".md")
    assert main(["write", "--results", str(folder), "-o", str(page), *more]) == 0
    return page.read_text(encoding="utf-8")


def test_the_page_that_is_here_follows_from_the_results_beside_it(tmp_path):
    page = tmp_path / PAGE.name
    assert main(["write", "--results", str(ROOT / RESULTS), "-o", str(page)]) == 0
    assert page.read_text(encoding="utf-8") == (ROOT / PAGE).read_text(encoding="utf-8")
    for figure in re.findall(r"!\[[^]]*\]\((.*?)\)", page.read_text(encoding="utf-8")):
        assert (ROOT / PAGE).with_name(figure).read_text(encoding="utf-8").startswith("<svg ")
        assert (tmp_path / figure).exists()


def test_a_variant_is_compared_with_the_baseline_of_its_own_seed(results):
    page = written(results)
    (row,) = re.findall(r"\| `memory-1` .*", page)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == ["Memory: 1 observation remembered", "0.10", "0.50", "3.52", "1.60", "3.00", "–"]
    assert "as it is" in page
    assert "`memory-2`" not in page, "what has no result has no row"


def test_variants_are_told_in_short_by_how_much_they_differ(results):
    put(results, "double", 0, dreams(1.0))
    put(results, "double", 1, dreams(1.1))
    put(results, "fast", 0, dreams(2.02))
    put(results, "slow", 0, dreams(2.6))
    page = written(results)
    assert "or more: `memory-1` 1.60." in page
    assert "a tenth to a half: `slow` 1.30." in page
    assert "the same: `fast` 1.01." in page
    assert "more than a tenth: `double` 0.50." in page


def test_what_is_not_there_yet_is_no_section(results):
    page = written(results)
    assert "## The worst dreams" not in page
    assert "## Longer trainings" not in page
    assert "$" not in page


def test_longer_trainings_have_a_section_of_their_own_once_there_are_any(results, tmp_path):
    run = {"name": "seed 0", "x": [60, 120], "h10_px": [1.2, 0.9]}
    (results / "training-time.json").write_text(json.dumps({"x": "seconds", "runs": [run]}))
    (results / "longer-trainings.md").write_text("On a GPU.\n")
    assert "## Longer trainings\nOn a GPU.\n" in written(results)
    assert "seed 0 0.90 px" in (tmp_path / "learning-time.svg").read_text()


def test_the_figures_read_in_the_light_and_in_the_dark(results, tmp_path):
    written(results)
    figures = sorted(tmp_path.glob("*.svg"))
    assert [figure.name for figure in figures] == ["learning-loss.svg", "learning-ratios.svg", "learning-slope.svg"]
    for figure in figures:
        svg = figure.read_text()
        assert "prefers-color-scheme:dark" in svg
        assert "#000000" not in svg


def test_results_that_do_not_compare_are_refused(results, capsys):
    put(results, "memory-1", 0, dreams(3.0), TINY)
    with pytest.raises(SystemExit):
        written(results)
    assert "memory-1, seed 0, is of other lengths" in capsys.readouterr().err


def test_a_result_of_no_variant_is_named(results, capsys):
    put(results, "gone", 0, dreams(3.0))
    with pytest.raises(SystemExit):
        written(results)
    assert "gone-0.json is of the variant 'gone', which there is no more" in capsys.readouterr().err


def test_without_a_baseline_it_says_what_makes_one(results, capsys):
    (results / "policy-0.json").unlink()
    with pytest.raises(SystemExit):
        written(results)
    assert "python -m viewer.learning train policy makes it" in capsys.readouterr().err
