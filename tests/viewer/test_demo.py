"""The demo page, from the command line to the file: python -m pytest tests/viewer/test_demo.py"""

import json
import re
from pathlib import Path

import pytest
from untrained import put_run, put_weights

import viewer.__main__
from models.config import EvaluationConfig
from viewer.__main__ import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("viewer.weights.PRETRAINED", tmp_path / "pretrained" / "coverage")
    # Short films, which are quickly made.
    monkeypatch.setattr(EvaluationConfig, "horizon", 5)
    monkeypatch.setattr(EvaluationConfig, "timesteps", 10)


def test_the_page_of_the_pretrained_weights_has_the_player_first_and_needs_nothing_beside_it(tmp_path, capsys):
    put_weights(tmp_path / "pretrained" / "coverage")
    assert main([]) == 0
    page = (tmp_path / "demo.html").read_text()
    assert (tmp_path / "demo.html").as_uri() in capsys.readouterr().out
    assert page.index("<canvas") < page.index("data:image/gif")
    assert page.count("data:image/gif") == 2
    assert "pretrained/coverage" in page
    assert not re.search(r"""(src|href)=["']?(https?:|/|\.)""", page)
    assert len(page.encode()) < 4_000_000


def test_the_page_of_a_run_goes_where_it_is_told_and_is_opened(tmp_path, monkeypatch):
    opened: list[Path] = []
    monkeypatch.setattr(viewer.__main__, "open_page", opened.append)
    run = put_run(tmp_path / "some" / "run", raster="pixel")
    assert main(["--run", str(run), "--output", "page.html", "--open"]) == 0
    assert "some/run" in (tmp_path / "page.html").read_text()
    assert [page.name for page in opened] == ["page.html"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "make run trains some"),
        (["--run", "nowhere"], "there is no folder nowhere"),
        (["--run", "empty"], "has no trained policy"),
        (["--run", "newer"], "has format 2, newer than the 1 that this version reads"),
        (["--run", "other"], "are weights of another architecture"),
        (["--run", "good", "--output", "empty"], "empty cannot be written: Is a directory"),
        (["--run", "good", "--output", "nowhere/page.html"], "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_built_is_said_in_a_sentence(arguments, said, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for name in ("good", "newer", "other"):
        put_run(tmp_path / name)
    change(tmp_path / "newer" / "learned" / "policy" / "model.json", lambda description: {**description, "format": 2})
    change(
        tmp_path / "other" / "learned" / "world_model" / "model.json",
        lambda description: {**description, "world_model": {**description["world_model"], "state": 3}},
    )
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    assert said in capsys.readouterr().err


def change(file, make):
    file.write_text(json.dumps(make(json.loads(file.read_text()))))
