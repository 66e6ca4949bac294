"""Ctrl-C ends every command line in the same way: python -m pytest tests/viewer/test_ctrl_c.py"""

import argparse
import runpy
import sys

import pytest

COMMANDS = [
    *("viewer.__main__", "viewer.score", "viewer.show_frames", "viewer.card", "viewer.learning.__main__"),
    *("pipelines.compile", "pipelines.submit", "benchmarks.__main__", "setup.doctor"),
]


def interrupted(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_costs_a_line_and_exit_code_130(command, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, command, raising=False)  # or runpy warns that it runs it a second time
    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", interrupted)  # early in what each command does
    with pytest.raises(SystemExit) as exit:
        runpy.run_module(command, run_name="__main__")
    assert exit.value.code == 130
    assert capsys.readouterr() == ("", "\nstopped by Ctrl-C\n")
