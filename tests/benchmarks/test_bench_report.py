"""The tables of speed, and the command that makes them: python -m pytest tests/benchmarks"""

import re
import subprocess
import sys

import pytest
import torch

from benchmarks.__main__ import DOCS, GPU, GROUPS, ON_GPU, main
from benchmarks.measure import Plot, Row
from benchmarks.report import as_json, document, machine, read_json, table
from viewer.plots import growth_plot

ROWS = [
    Row("a copy", "5 GB/s", "memory: 10 GB/s", 0.5, 0.45, 0.8),
    Row("a wait", "3 ms", "a step: 100 ms", 3.0, 5, 1, unit="%", higher_is_better=False),
    Row("threads", "2 s", "one: 3 s", 1.5),
]


def cells(text):
    """The rows of the Markdown tables in a text, without their heads."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|") and "|--" not in line]
    return [[cell.strip() for cell in line] for line in lines]


def test_the_table_has_each_figure_beside_its_limit_and_bounds():
    heads, *rows = cells(table(ROWS))
    assert heads[-4:] == ["figure", "must", "aim", "reached"]
    assert rows == [
        ["a copy", "5 GB/s", "memory: 10 GB/s", "0.5", "≥ 0.45", "≥ 0.8", "must"],
        ["a wait", "3 ms", "a step: 100 ms", "3 %", "≤ 5 %", "≤ 1 %", "must"],
        ["threads", "2 s", "one: 3 s", "1.5", "", "", ""],
    ]


def test_the_document_says_where_it_was_measured_and_shows_the_plots():
    here = machine()
    plot = Plot("performance-growth.svg", "Time against work", "<svg/>")
    text = document(here, here, {"Simulator": ROWS[:1], "Growth": [ROWS[2], plot]}, ("a large GPU", ROWS[1:2]))
    for part in (here.versions, here.commit, "`make bench`", "one thread", "load average"):
        assert part in text
    assert re.findall("(?m)^## (.*)", text) == ["In short", "Simulator", "Growth", "On a GPU"]
    assert "![Time against work](performance-growth.svg)" in text
    short = text.partition("## In short")[2].partition("## ")[0]
    assert cells(short)[1:] == [["a copy", "0.5", "≥ 0.45", "≥ 0.8", "must"]], "what has a bound, of this machine"
    assert "a large GPU" in text.partition("## On a GPU")[2]


def test_the_rows_of_another_machine_come_back_from_their_file(tmp_path):
    file = tmp_path / "gpu.json"
    assert read_json(file) is None
    here = machine()
    file.write_text(as_json(here, ROWS), encoding="utf-8")
    found = read_json(file)
    assert found is not None
    assert here.processor in found[0]
    assert found[1] == ROWS


@pytest.mark.parametrize("text", ["", "[]", '{"machine": "x"}', '{"machine": "x", "rows": [{"what": "y"}]}'])
def test_a_file_that_is_not_of_another_machine_is_refused_by_name(tmp_path, text):
    file = tmp_path / "gpu.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"gpu.json is not what python -m benchmarks --json writes"):
        read_json(file)


def test_a_group_that_does_not_exist_costs_one_sentence_with_the_nearest(capsys):
    assert main(["simulater"]) == 2
    assert re.fullmatch(
        r"python -m benchmarks: error: there is no group 'simulater', the nearest of .* is 'simulator'\n",
        capsys.readouterr().err,
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_written_of_one(tmp_path, capsys):
    assert main([ON_GPU, "--json", str(tmp_path / GPU)]) == 2
    assert "error: there is no GPU on this machine that PyTorch can use" in capsys.readouterr().err
    assert not (tmp_path / GPU).exists()


@pytest.fixture
def docs(tmp_path, monkeypatch):
    """A folder in place of `docs/`, and groups that are measured at once."""
    monkeypatch.setattr("benchmarks.__main__.DOCS", tmp_path)
    monkeypatch.setattr("benchmarks.__main__.measured", lambda group: iter(ROWS[:1] if group == "growth" else ROWS))
    return tmp_path


def test_the_command_prints_the_table_and_only_for_all_groups_writes_it(docs, capsys):
    assert main(["growth"]) == 0
    assert cells(capsys.readouterr().out)[1][0] == "a copy"
    assert not list(docs.iterdir())
    assert main([]) == 0
    assert "## Growth" in (docs / "performance.md").read_text(encoding="utf-8")


def test_what_one_machine_wrote_is_in_the_document_of_another(docs):
    assert main(["growth", "--json", str(docs / GPU)]) == 0
    assert main([]) == 0
    assert "a copy" in (docs / "performance.md").read_text(encoding="utf-8").partition("## On a GPU")[2]


@pytest.mark.long
def test_a_group_is_measured_by_the_command():
    command = [sys.executable, "-m", "benchmarks", "feeding"]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=True)
    _, row = cells(done.stdout)
    assert row[0].startswith("data feeding the trainer")
    assert 0 < float(row[3].split()[0]) < 5


def test_every_group_is_a_module_and_every_module_a_group():
    modules = {file.stem for file in (DOCS.parent / "benchmarks").glob("*.py")}
    assert modules == {"__init__", "__main__", "measure", "report", ON_GPU, *GROUPS}


def test_the_document_has_all_groups_and_the_plot_that_it_shows():
    text = (DOCS / "performance.md").read_text(encoding="utf-8")
    sections = re.findall("(?m)^## (.*)", text)
    assert sections == ["In short", *GROUPS.values(), *(["On a GPU"] if (DOCS / GPU).exists() else [])]
    for name in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (DOCS / name).exists()
    for line in cells(text):
        if len(line) == 7 and line[-1] not in ("reached", ""):
            assert line[-1] in ("aim", "must", "no", "not measured")


def test_the_growth_plot_has_a_line_for_each_curve():
    svg = growth_plot([1, 10, 100], {"episodes": [1, 9, 95], "horizon": [1, 10, 100]})
    assert "at 100 times the work: episodes 95, horizon 100 times the time" in svg
    assert all(f">{name}<" in svg for name in ("episodes", "horizon", "as the work"))
