"""What all command lines have in common, Ctrl-C and --help: python -m pytest tests/viewer/test_commands.py"""

import argparse
import runpy
import sys
from itertools import pairwise

import pytest

COMMANDS = [
    *("viewer.__main__", "viewer.score", "viewer.show_frames", "viewer.card", "viewer.learning.__main__"),
    *("viewer.floor", "viewer.diagrams.__main__"),
    *("pipelines.compile", "pipelines.submit", "benchmarks.__main__", "setup.doctor"),
]


def run(command, monkeypatch):
    """The exit code of a command, as `python -m` runs it."""
    monkeypatch.delitem(sys.modules, command, raising=False)  # or runpy warns that it runs it a second time
    with pytest.raises(SystemExit) as exit:
        runpy.run_module(command, run_name="__main__")
    return exit.value.code


def interrupted(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_costs_a_line_and_exit_code_130(command, monkeypatch, capsys):
    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", interrupted)  # early in what each command does
    assert run(command, monkeypatch) == 130
    assert capsys.readouterr() == ("", "\nstopped by Ctrl-C\n")


@pytest.mark.parametrize("command", ["viewer.__main__", "viewer.score", "viewer.learning.__main__"])
def test_a_number_of_threads_that_is_none_is_told_in_a_sentence(command, monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    monkeypatch.setattr(sys, "argv", [command, *(["worst"] if "learning" in command else [])])
    assert run(command, monkeypatch) == 2
    assert "OMP_NUM_THREADS must be a whole number of at least 1, got 'many'" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_a_text_for_each_option(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    monkeypatch.setenv("COLUMNS", "120")
    assert run(command, monkeypatch) == 0
    said = capsys.readouterr().out
    assert f"\nexamples:\n  python -m {command.removesuffix('.__main__')}" in said
    lines = said.partition("\nexamples:")[0].splitlines()
    for line, following in pairwise([*lines, ""]):
        if line.startswith("  -"):
            assert "  " in line.strip() or following.startswith("   "), f"nothing is said of {line.strip()}"
