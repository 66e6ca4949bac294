"""The README's figures: they are of the code as it is, and read in light and dark.

python -m pytest tests/viewer/test_diagrams.py
"""

import re
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from models.config import PolicyConfig, WorldModelConfig
from pipelines.build import BuildConfig
from pipelines.write import write_pipeline
from viewer.diagrams import traced
from viewer.diagrams.__main__ import main
from viewer.diagrams.drawing import operation, row

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = ("network.svg", "policy.svg", "pipeline.svg")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    file = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    write_pipeline(file, BuildConfig())
    return file


def drawn(pipeline, folder):
    assert main([str(pipeline), "--output", str(folder)]) == 0
    return {name: (folder / name).read_text() for name in FIGURES}


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]


def test_the_figures_in_docs_are_of_the_code_as_it_is(pipeline, tmp_path):
    for name, svg in drawn(pipeline, tmp_path).items():
        assert (DOCS / name).read_text() == svg, f"python -m viewer.diagrams draws another docs/{name}"


def test_another_network_is_drawn_with_other_shapes(pipeline, tmp_path, monkeypatch):
    before = drawn(pipeline, tmp_path)
    monkeypatch.setattr(
        traced, "WorldModelConfig", partial(WorldModelConfig, maps=20, latent=24, state=48, rank=3, depth=5)
    )
    monkeypatch.setattr(traced, "PolicyConfig", partial(PolicyConfig, hidden=77))
    after = drawn(pipeline, tmp_path)
    for shape in ("20 × 36 × 36", "40", "24", "24 + 2 + 48", "2 × 32 × 4 × 3", "+ MLP, 5 × 128"):
        numbers = str(sum(map(int, shape.split(" + ")))) if shape[0].isdigit() and "+" in shape else shape
        assert numbers in texts(after["network.svg"]), shape
        assert numbers not in texts(before["network.svg"]), shape
    assert "77" in texts(after["policy.svg"])
    assert before["pipeline.svg"] == after["pipeline.svg"]


def test_a_step_of_another_name_is_drawn_with_that_name(pipeline, tmp_path):
    (spec,) = yaml.safe_load_all(pipeline.read_text())
    tasks = spec["root"]["dag"]["tasks"]
    tasks["judge-well"] = tasks.pop("check")
    tasks["train-policy"]["dependentTasks"].remove("check")
    (tmp_path / "renamed.yaml").write_text(yaml.safe_dump(spec))
    svg = drawn(tmp_path / "renamed.yaml", tmp_path)["pipeline.svg"]
    assert "judge well" in texts(svg)
    assert "check" not in texts(svg)


def test_the_pipeline_says_who_takes_in_what(pipeline, tmp_path):
    svg = drawn(pipeline, tmp_path)["pipeline.svg"]
    steps = [("plan",), ("generate", "data"), ("start",), ("train", "world", "model"), ("check",), ("train", "policy")]
    steps += [("evaluate",), ("promote",)]
    assert [text for text in texts(svg) if any(text in step for step in steps)][: sum(map(len, steps))] == [
        line for step in steps for line in step
    ]
    for lane in ("episodes", "world_model", "policy", "evaluation", "metrics, report"):
        assert lane in texts(svg)
    # Of the plan's parameters each step takes its own; the world model is taken by four, the episodes by two.
    circles = re.findall(r'<circle class="(\w+)"', svg)
    assert [circles.count(colour) for colour in ("image", "latent", "state", "loss")] == [2, 2, 4, 2]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_needs_nothing_beside_it_and_has_both_schemes(name):
    svg = (DOCS / name).read_text()
    root = ElementTree.fromstring(svg)
    assert root.findtext("{*}title")
    assert len(root.findtext("{*}desc", "")) > 80
    assert "@media(prefers-color-scheme:dark)" in svg
    assert not re.findall(r"(?:href|src)=|url\((?!#)|@import|<script|<image|<foreignObject", svg)
    colours = re.findall(r'(?:fill|stroke)="(?!none)', svg)
    assert colours == [], "what has no class has one colour in both"


@pytest.mark.parametrize("name", FIGURES)
def test_every_text_lies_within_its_figure(name):
    root = ElementTree.parse(DOCS / name).getroot()
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        words, kinds = "".join(text.itertext()), text.attrib["class"].split()
        x, y, length = float(text.attrib["x"]), float(text.attrib["y"]), 7.4 * len(words)
        left = x - (length if "right" in kinds else 0 if {"left", "h"} & set(kinds) else length / 2)
        assert left >= 0, words
        assert left + length <= width, words
        assert 0 < y < height, words


def test_a_row_without_room_for_its_arrows_is_refused():
    with pytest.raises(ValueError, match=r"need \d+ px more"):
        row(0, 100, 0, [operation("convolution"), operation("convolution")])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "No such file"), ("", "is no compiled pipeline"), ("a: [", "is no compiled pipeline"), ("[1]", "is no")],
)
def test_a_file_that_is_no_pipeline_costs_a_sentence(tmp_path, capsys, content, sentence):
    if content is not None:
        (tmp_path / "p.yaml").write_text(content)
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / "p.yaml"), "--output", str(tmp_path)])
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.glob("*.svg"))


def test_a_folder_that_is_not_there_costs_a_sentence(pipeline, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(pipeline), "--output", str(tmp_path / "nowhere")])
    assert stop.value.code == 2
    assert "nowhere" in capsys.readouterr().err
