"""The report: one file that shows a run and needs nothing beside it.

python -m pytest tests/viewer/test_report.py
"""

import math
import re
from copy import deepcopy
from html.parser import HTMLParser

import pytest

from viewer.report import report

FACTS = {"run_id": "first", "preset": "smoke", "seed": 0, "configuration": {"world": {"size": 32}, "steps": [1, 2]}}
TRAINING = [
    {"step": step, "phase": phase, "loss": math.exp(-step / 100), "rate": 0.01}
    for phase in ("autoencoder", "dynamics", "policy")
    for step in range(400)
]
VOID = {"meta", "img", "source", "wbr", "link", "br"}


class Page(HTMLParser):
    """Every element with its attributes, the text, and the elements that were not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.open, self.unbalanced = [], "", [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        self.text += data


def report_of(evaluation, films, facts=FACTS, training=TRAINING, others=None):
    """The page with a sentence in the place of the player, which has its own tests."""
    worst = {"Episode 7: 9.1 px off": films["model"], "Goal 3: 0.61 px away": films["policy"]}
    return report(facts, evaluation, films, training, worst=worst, player="<p>player</p>", others=others or {})


@pytest.fixture(scope="module")
def html(sample_evaluation, films):
    return report_of(sample_evaluation, films)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_is_well_formed(page):
    assert page.unbalanced == []
    assert page.open == []


def test_ids_are_unique_so_that_no_plot_borrows_from_another(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert ids
    assert len(ids) == len(set(ids))


def test_nothing_is_loaded_from_outside(page):
    loaded = [
        attributes[name]
        for _, attributes in page.elements
        for name in ("src", "srcset", "href", "xlink:href", "data", "action", "poster")
        if name in attributes
    ]
    assert len(loaded) > 4
    assert [where for where in loaded if not where.startswith(("data:image/", "#"))] == []
    assert {tag for tag, _ in page.elements} & {"link", "script", "iframe", "object", "embed", "base"} == set()


def test_styles_load_nothing_and_know_light_dark_and_little_motion(html):
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
    assert "prefers-reduced-motion: reduce" in style
    assert re.search(r'<source media="\(prefers-reduced-motion: reduce\)" srcset="data:image/png', html)


def test_every_picture_has_a_text_for_who_cannot_see_it(page):
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    plots = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(images) == 2 + 2
    assert all(len(image["alt"]) > 20 for image in images)
    assert len(plots) == 3 + 1 + 1 + 3
    assert all(plot["role"] == "img" and len(plot["aria-label"]) > 20 for plot in plots)


def test_tables_can_be_scrolled_by_keyboard(page):
    regions = [attributes for _, attributes in page.elements if attributes.get("class") == "table"]
    assert len(regions) == 4
    assert all(region["tabindex"] == "0" and region["aria-label"] for region in regions)


def test_the_figures_stand_in_the_page_with_their_intervals(page):
    assert "98.4" in page.text
    assert "97.1–99.3" in page.text
    assert "14.4\xa0frames" in page.text
    assert "1.25\xa0times" in page.text
    assert "0.90–1.10" in page.text, "the interval of the mean error at horizon 10"


def test_what_was_run_stands_in_the_page(page):
    for text in ("dreamblock · first", "smoke", "world.size", "[1, 2]"):
        assert text in page.text


def test_the_player_comes_first(html):
    assert html.index("<h2>Play with it") < html.index("<p>player</p>") < html.index("<h2>See it")


def test_what_went_worst_is_shown_with_what_it_is(page):
    assert "Episode 7: 9.1 px off" in page.text
    (film,) = [image for tag, image in page.elements if tag == "img" and "Episode 7" in image["alt"]]
    assert film["src"].startswith("data:image/gif")


def test_without_another_to_compare_with_there_is_no_comparison(page):
    assert "Beside others" not in page.text


def test_the_comparison_has_a_column_for_each_other_and_says_what_it_was_judged_on(evaluation, films):
    audit = deepcopy(evaluation)
    for dream in audit["dream"][:2]:
        dream["set"] = "audit"
        dream["centroid_error_px"]["mean"] = [0.07] * 25
    audit["goal_reaching"]["settle_ratio"] = 1.11
    text = Page(report_of(evaluation, films, others={"the champion": audit})).text
    comparison = text[text.index("Beside others") : text.index("How far the dream holds")]
    assert "this run" in comparison
    assert "the champion" in comparison
    assert "at horizon 5\xa0px0.50" in comparison
    assert "0.070" in comparison
    assert "oracle’s1.251.11" in comparison
    assert "judged on100 evaluation episodes100 audit episodes" in comparison


def test_text_is_escaped(evaluation, films):
    attack = '<script>alert("1")</script>'
    facts = {"run_id": attack, attack: attack, "configuration": {attack: [attack]}, attack * 2: {}}
    evaluation["dream"][2]["set"] = attack
    evaluation["goal_reaching"]["controllers"][attack] = evaluation["goal_reaching"]["controllers"]["policy"]
    html = report_of(evaluation, films, facts, [{"step": 0, "phase": attack, "loss": 1.0}], {attack: evaluation})
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 6
    assert Page(html).unbalanced == []


def test_what_could_not_be_computed_is_a_dash(evaluation, films):
    for dream in evaluation["dream"]:
        nothing = [None] * 25
        dream |= {"iou": nothing, "copy_last_px": nothing, "precision_px": None, "intervals": {}}
        dream["centroid_error_px"] = {"mean": nothing, "median": nothing, "p95": nothing}
    controllers = evaluation["goal_reaching"]["controllers"]
    for name in controllers:
        controllers[name] = {key: None for key in controllers[name] if key not in ("intervals", "distance")}
    evaluation["goal_reaching"]["settle_ratio"] = None
    html = report_of(evaluation, films, {}, [], {"others": evaluation})
    assert Page(html).unbalanced == []
    assert html.count("<td>–</td>") > 90
    assert "None" not in Page(html).text
    assert "nan" not in Page(html).text


def test_a_short_evaluation_has_no_columns_that_it_did_not_reach(evaluation, films):
    for dream in evaluation["dream"]:
        dream["horizon"] = dream["horizon"][:6]
        for figures in (dream, dream["centroid_error_px"], dream["intervals"]):
            figures.update({key: values[:6] for key, values in figures.items() if isinstance(values, list)})
    text = Page(report_of(evaluation, films)).text
    assert "horizon15mean" in text
    assert "ten timesteps" not in text


def test_the_same_run_gives_the_same_page(evaluation, films, html):
    assert report_of(evaluation, films) == html


def test_the_cards_show_their_own_horizon_from_the_longest_context_and_what_happens_without_force(evaluation, films):
    evaluation["dream"][1]["centroid_error_px"]["mean"] = [0.77, *[3.0] * 8, 5.5, *[9.0] * 15]  # context 3
    evaluation["dream"][1]["copy_last_px"] = [6.0, *[7.0] * 8, 8.0, *[9.0] * 15]
    evaluation["goal_reaching"]["controllers"]["zero_force"]["settled"] = 0.03
    text = Page(report_of(evaluation, films)).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "one timestep ahead0.77 pxmean error; a copy of the last frame: 6.00 px" in text
    assert "ten timesteps ahead5.50 pxmean error; a copy of the last frame: 8.00 px" in text
    assert "of the episodes; without force: 3.0 %" in text


def test_each_row_of_a_dream_shows_the_figure_that_it_names(evaluation, films):
    error = evaluation["dream"][1]["centroid_error_px"]
    error["mean"], error["median"], error["p95"] = [0.77] * 25, [0.55] * 25, [3.3] * 25
    text = Page(report_of(evaluation, films)).text.replace("\N{NO-BREAK SPACE}", " ")
    for row in ("median error px" + "0.55" * 4, "95th percentile px" + "3.30" * 4):
        assert row in text
