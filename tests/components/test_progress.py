"""What is seen of a step while it works: python -m pytest tests/components/test_progress.py"""

import sys
import time

from components.progress import EVERY, progress


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with progress() as show:
        for step in range(1, 101):
            now += EVERY / 32  # a sum of which is exact
            show("dynamics", step, 100, f"loss {1 / step:.2f}")
    assert capsys.readouterr().err.splitlines() == [
        "  dynamics: 32 of 100, loss 0.03",
        "  dynamics: 64 of 100, loss 0.02",
        "  dynamics: 96 of 100, loss 0.01",
        "  dynamics: 100 of 100, loss 0.01",
    ]


def test_a_terminal_gets_a_bar_for_each_thing_that_is_done(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress() as show:
        show("autoencoder", 5, 10, "loss 3")
        show("autoencoder", 10, 10, "loss 2")
        show("dynamics", 2, 4, "")
    drawn = capsys.readouterr().err
    assert "autoencoder:   0%" in drawn
    assert "dynamics:" in drawn
    assert "\n" not in drawn.rstrip("\n"), "a bar stays in its line"
