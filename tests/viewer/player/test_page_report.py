"""The report in a browser, in Kubeflow's frame: python -m pytest -m browser tests/viewer/player/test_page_report.py"""

from html import escape

import pytest

from sim_core.world import World
from viewer.player import player
from viewer.report import report

pytestmark = pytest.mark.browser

SIZES = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def page(sample_evaluation, films, untrained):
    model, policy = untrained
    rows = [{"step": step, "phase": "dynamics", "loss": 1 / (1 + step)} for step in range(100)]
    return report(
        {
            "run_id": "a-run-with-a-name-of-some-length",
            "commit": "1f0a9c2",
            "artifacts": {"policy": "gs://b/" + 90 * "c"},
        },
        sample_evaluation,
        films,
        rows,
        worst={"Dream of episode 7: 9.1 px off": films["model"]},
        player=player(model, policy, World()),
        others={"the pretrained weights": sample_evaluation},
    )


def framed(page):
    """As Kubeflow's page shows it, which lets scripts run and nothing else."""
    frame = '<iframe sandbox="allow-scripts" style="border:0;width:100%;height:800px" srcdoc="{}"></iframe>'
    return f'<!doctype html><meta name="viewport" content="width=device-width"><body style="margin:0">{frame}'.format(
        escape(page)
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_into_the_sandboxed_frame_and_plays(page, open_page, size, scheme):
    shown = open_page(framed(page), viewport=SIZES[size], color_scheme=scheme)
    inner = shown.frame_locator("iframe")
    inner.get_by_role("button", name="Re-sync the dream").wait_for()
    body = inner.locator("html").evaluate("html => [html.scrollWidth, html.clientWidth]")
    assert body[0] == body[1], "nothing is wider than the page"
    paper, ink = inner.locator("body").evaluate(
        "body => [getComputedStyle(body).backgroundColor, getComputedStyle(body).color].map(c => c.match(/\\d+/)[0])"
    )
    assert (int(paper) < int(ink)) == (scheme == "dark")
    assert inner.locator("img").evaluate_all("films => films.every(film => film.complete && film.naturalWidth > 0)")


def test_without_scripts_it_shows_everything_but_the_player(page, open_page):
    shown = open_page(page, java_script_enabled=False)
    assert not shown.get_by_role("button", name="Re-sync the dream").is_visible()
    assert shown.locator(".player-without").is_visible()
    for what, count in (("img", 3), ("svg[role=img]", 6), (".table", 5)):
        found = shown.locator(what).all()
        assert len(found) == count
        assert all(each.is_visible() for each in found)
    shown.get_by_text("artifacts").click()
    assert shown.get_by_text("gs://b/").is_visible()


def test_tables_and_settings_are_reached_by_keyboard(page, open_page):
    shown = open_page(page, viewport=SIZES["phone"])
    shown.locator(".table").last.focus()
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "artifacts"
    shown.keyboard.press("Enter")
    shown.get_by_text("gs://b/").wait_for()
