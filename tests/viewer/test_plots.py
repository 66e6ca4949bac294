"""The curves: what they draw, and that they read on any page.

python -m pytest tests/viewer/test_plots.py
"""

import re

import pytest

from viewer.plots import distance_plot, dream_error_plot, overlap_plot, training_plots


def test_text_and_axes_take_the_colour_of_the_page(evaluation):
    svg = dream_error_plot(evaluation["dream"][0])
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert "#000000" not in svg
    assert "#ffffff" not in svg
    assert "<style" not in svg


def test_texts_are_texts_in_the_pages_font(evaluation):
    svg = overlap_plot(evaluation["dream"])
    assert re.search(r"<text[^>]*>IoU at 0.5</text>", svg)
    assert "font-family" not in svg


def test_floor_and_original_are_drawn_only_where_given(evaluation):
    dream = evaluation["dream"][0]
    assert "Bayes floor" not in dream_error_plot(dream)
    dream |= {"bayes_floor_px": [0.5] * 25, "original_px": [0.73, 1.25] + [None] * 23}
    svg = dream_error_plot(dream)
    assert "Bayes floor" in svg
    assert "the original, in its own world" in svg


def test_the_error_is_told_in_words(evaluation):
    assert "mean: 0.10 px at horizon 1, 2.50 px at horizon 25." in dream_error_plot(evaluation["dream"][0])


def test_policy_oracle_and_zero_force_have_their_curves(evaluation):
    svg = distance_plot(evaluation["goal_reaching"]["controllers"])
    for name in ("policy", "oracle", "zero force"):
        assert f">{name}</text>" in svg
    assert "random force" not in svg


def test_each_phase_of_a_training_has_its_curve_of_losses_alone():
    rows = [{"step": i, "phase": "dynamics", "loss": 1 / (1 + i), "rate": 0.1} for i in range(1000)]
    rows += [{"step": i, "phase": "policy", "loss": 3.0, "validation_loss": None} for i in range(3)]
    rows += [{"step": i, "phase": "data", "rate": 0.1} for i in range(3)]
    plots = training_plots(rows)
    assert list(plots) == ["dynamics", "policy"]
    assert ">loss</text>" in plots["dynamics"]
    assert "rate" not in plots["dynamics"]


@pytest.fixture
def drawn(monkeypatch):
    """The axes of each plot that is made."""
    axes = []

    def inline_svg(figure, description):
        axes.append(figure.axes[0])
        return ""

    monkeypatch.setattr("viewer.plots.inline_svg", inline_svg)
    return axes


def test_the_band_of_distances_lies_between_the_quartiles(evaluation, drawn):
    distance_plot(evaluation["goal_reaching"]["controllers"])
    for band in drawn[0].collections:
        heights = band.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == (1, 3)


def test_errors_larger_than_the_square_stay_in_the_picture(evaluation, drawn):
    dream_error_plot(evaluation["dream"][0])
    dream_error_plot(evaluation["dream"][0] | {"copy_last_px": [60.0] * 25})
    assert [axes.get_ylim()[1] for axes in drawn] == [35, 60]


def test_losses_that_fall_far_have_a_logarithmic_axis_and_others_have_not(drawn):
    for loss in (lambda i: 1 / (1 + i), lambda i: 2 - i / 300):
        training_plots([{"step": i, "phase": "a", "loss": loss(i)} for i in range(300)])
    assert [axes.get_yscale() for axes in drawn] == ["log", "linear"]
