"""The page of scores, of small untrained weights: python -m pytest tests/viewer/test_score.py"""

import re

import pytest
from untrained import put_weights

from viewer.original import recorded
from viewer.score import main


@pytest.fixture
def pretrained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("viewer.score.PRETRAINED", tmp_path / "pretrained" / "coverage")
    for raster in ("coverage", "pixel"):
        put_weights(tmp_path / "pretrained" / raster, raster)
    return tmp_path / "pretrained"


def test_the_page_has_both_rasters_beside_the_original_and_the_same_numbers_again(pretrained, tmp_path):
    assert main(["--episodes", "4", "-o", "first.md"]) == 0
    page = (tmp_path / "first.md").read_text()
    assert "4 audit episodes" in page
    assert page.index("## coverage: coverage frames") < page.index("## pixel: pixel frames")
    assert "| over the Bayes floor" in page.partition("## pixel")[2]
    assert "| over the Bayes floor" not in page.partition("## pixel")[0]
    (settled,) = re.findall(r"\| settled .*\|", page.partition("## coverage")[2].partition("## pixel")[0])
    assert settled.split("|")[-2].strip() == "89.9\N{NO-BREAK SPACE}%"
    errors = re.findall(r"\| the original, in its own world +\| ([\d.]+)", page)
    assert errors == ["0.73", "0.73"]
    figures = re.findall(r"!\[.*\]\((.*)\)", page)
    assert len(figures) == 10
    for figure in figures:
        assert (tmp_path / figure).read_text().startswith("<svg ")
    assert main([str(pretrained / "coverage"), str(pretrained / "pixel"), "--episodes", "4", "-o", "again.md"]) == 0
    assert (tmp_path / "again.md").read_text() == page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "-o", "score.md"], "there is no folder nowhere"),
        (["pretrained/pixel", "nowhere", "-o", "score.md"], "there is no folder nowhere"),
        (
            ["--episodes", "4"],
            "docs/score.md is of the pretrained weights on all episodes: say with -o where this goes",
        ),
        (["pretrained/pixel"], "say with -o where this goes"),
        (["--episodes", "0"], "episodes must be a whole number of at least 1"),
        (["--episodes", "many"], "invalid int value: 'many'"),
        (
            ["pretrained/pixel", "./pretrained/pixel", "-o", "score.md"],
            "two of the weights are called 'pixel', pretrained/pixel and",
        ),
        (["-o", "nowhere/score.md"], "nowhere/score.md cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_scored_is_said_in_a_sentence(pretrained, arguments, said, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert said in capsys.readouterr().err


def test_without_pretrained_weights_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("viewer.score.PRETRAINED", tmp_path / "pretrained" / "coverage")
    with pytest.raises(SystemExit):
        main([])
    assert f"there are no weights in {tmp_path}/pretrained/" in capsys.readouterr().err


def test_the_originals_goals_are_those_after_its_longest_pursuit(pretrained, tmp_path):
    assert main(["--episodes", "4", "-o", "score.md"]) == 0
    past = recorded()["goal_reaching"]
    means, oracle = past["original"]["settle_frames_mean_all"], past["oracle"]["settle_frames_mean_all"]
    rows = [[cell.strip() for cell in row.split("|")] for row in (tmp_path / "score.md").read_text().splitlines()]
    beside = {cells[1]: cells[2] for cells in rows if len(cells) > 3}
    assert beside["distance after 50 timesteps, px"] == f"{past['original']['mean_px'][-1]:.2f}"
    assert beside["the same over the oracle's"] == f"{means / oracle:.2f}"
