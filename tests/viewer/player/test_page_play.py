"""Somebody plays with the page, in a real browser: python -m pytest -m browser tests/viewer/player/test_page_play.py"""

from html import escape

import pytest
from inside import LOOK, SHELL

from viewer.player import page_script

pytestmark = pytest.mark.browser
FIELD = "[data-part=field]"


def place(page, x, y):
    """Where on the screen a pixel (x, y) of the field lies."""
    box = page.locator(FIELD).bounding_box()
    return box["x"] + box["width"] * x / 32, box["y"] + box["height"] * y / 32


def click(page, x, y, **how):
    page.mouse.click(*place(page, x, y), **how)


def drag(page, *corners, button="left"):
    page.mouse.move(*place(page, *corners[0]))
    page.mouse.down(button=button)
    for corner in corners[1:]:
        page.mouse.move(*place(page, *corner), steps=8)
    page.mouse.up(button=button)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def look(page, expression):
    return page.evaluate(f"() => {{{LOOK} return {expression}}}")


def wait_until(page, condition, seconds=10):
    page.wait_for_function(f"() => {{{LOOK} return {condition}}}", timeout=1000 * seconds)


def away_from(x, y, block="player.play.block.position"):
    return f"Math.hypot({block}[0] - {x}, {block}[1] - {y})"


# The dreamed block's place, by the mass that is to be seen.
DREAMED = """(() => {
  let [mass, x, y] = [0, 0, 0];
  player.play.dream.at(-1).forEach((value, i) => {
    mass += value;
    x += value * ((i % 32) + 0.5);
    y += value * (Math.floor(i / 32) + 0.5);
  });
  return [x / mass, y / mass];
})()"""


def test_a_click_puts_the_target_there_and_soon_the_block_is_there(open_page, trained_page):
    page = open_page(trained_page)
    for x, y in ((7, 25), (26, 20)):
        click(page, x, y)
        wait_until(page, f"{away_from(x, y)} < 1 && Math.hypot(...player.play.block.velocity) < 0.1")
        assert float(page.inner_text("[data-part=distance]").removesuffix(" px")) < 1.5


def test_a_line_is_drawn_over_several_strokes_and_the_block_goes_to_its_middle(open_page, trained_page):
    page = open_page(trained_page)
    drag(page, (8, 6), (8, 13))
    drag(page, (8, 13), (8, 20))
    target = look(page, "Array.from(player.target.pixels)")
    for row, painted in ((2, 0), (6, 1), (13, 1), (19, 1), (25, 0)):
        assert target[32 * row + 8] == pytest.approx(painted)
    assert sum(target) == pytest.approx(4 * 18, rel=0.05)
    wait_until(page, f"{away_from(8, 13)} < 3")


def test_the_right_button_and_the_eraser_erase(open_page, untrained_page):
    page = open_page(untrained_page)
    drag(page, (6, 16), (26, 16))
    drag(page, (22, 16), (28, 16), button="right")
    target = look(page, "Array.from(player.target.pixels)")
    assert target[32 * 16 + 10] == pytest.approx(1)
    assert target[32 * 16 + 23] < 0.01
    press(page, "Erases")
    drag(page, (2, 16), (26, 16))
    drag(page, (2, 16), (26, 16))
    assert look(page, "player.target.empty")


def test_with_an_empty_target_the_policy_rests(open_page, trained_page):
    page = open_page(trained_page)
    press(page, "Clear the target")
    assert page.inner_text("[data-part=status]") == "The target is empty: the policy rests."
    wait_until(page, "player.play.force[0] === 0 && player.play.force[1] === 0")
    assert page.inner_text("[data-part=distance]") == "–"


def test_a_drawing_over_the_whole_field_is_a_target_too(open_page, trained_page):
    page = open_page(trained_page)
    drag(page, *[(x, y) for i, y in enumerate(range(1, 33, 3)) for x in ((1, 31) if i % 2 else (31, 1))])
    assert look(page, "player.target.pixels.every((value) => value > 0.99)")
    before = look(page, "player.play.dreamed")
    wait_until(page, f"player.play.dreamed > {before} + 8")
    assert look(page, "player.play.force.every((part) => Math.abs(part) <= 1)")
    assert look(page, "player.play.dream.every((frame) => frame.every(Number.isFinite))")


def test_the_policy_steers_the_dream_when_that_is_what_is_steered(open_page, trained_page):
    page = open_page(trained_page)
    look(page, "player.play.restart([8, 24], [0, 0])")  # from beside a target it would be there too soon to tell
    press(page, "The dream")
    click(page, 24, 8)
    wait_until(page, f"{away_from(24, 8, DREAMED)} < 1.5")
    assert page.inner_text("[data-part=status]").startswith("The policy steers the dream")
    click(page, 8, 24)
    wait_until(page, f"{away_from(8, 24, DREAMED)} < 1.5")
    assert look(page, "player.play.dreamed") > 5, "without a look at reality in between"


def test_the_dream_drifts_from_reality_until_it_is_synced_again(open_page, trained_page):
    page = open_page(trained_page)
    click(page, 8, 8)
    wait_until(page, "player.play.dreamed > 20")
    points = page.get_attribute("[data-part=curve] polyline", "points")
    assert len(points.split()) >= 15
    press(page, "Stop")
    press(page, "Re-sync the dream")
    assert page.inner_text("[data-part=dreamed]") == "0 timesteps"
    assert look(page, "Array.from(player.play.apart)") == [0] * 4
    look(page, "[1, 2].forEach(() => player.play.step([0, 0]))")
    assert max(look(page, "Array.from(player.play.apart)")) < 1
    press(page, "Start")
    page.wait_for_function(
        "() => document.querySelector('.player-syncs').getAttribute('d').split('M').length === 3"  # at both
    )


@pytest.mark.parametrize("steered", ["Reality", "The dream"])
def test_you_push_the_block_with_the_arrow_keys(open_page, trained_page, steered):
    page = open_page(trained_page)
    press(page, "You")
    press(page, steered)
    page.keyboard.down("ArrowRight")
    page.keyboard.down("ArrowUp")
    wait_until(page, "player.play.force[0] === 1 && player.play.force[1] === -1")
    page.keyboard.up("ArrowUp")
    wait_until(page, "player.play.force[0] === 1 && player.play.force[1] === 0")
    page.keyboard.up("ArrowRight")
    wait_until(page, "player.play.force[0] === 0")


def test_a_short_tap_pushes_for_one_timestep(open_page, untrained_page):
    page = open_page(untrained_page)
    press(page, "You")
    press(page, "Stop")
    page.keyboard.press("ArrowDown")
    timestep = "[0, 1, 2, 3].forEach(() => player.nextFrame()), Array.from(player.play.force)"
    assert look(page, f"({timestep})") == [0, 1]
    assert look(page, f"({timestep})") == [0, 0]


def test_a_push_disturbs_the_policy_and_wakes_nobody(open_page, trained_page):
    page = open_page(trained_page)
    page.focus(FIELD)
    page.keyboard.down("ArrowLeft")
    wait_until(page, "player.play.force[0] === -1 && player.play.block.position[0] < 8")
    page.keyboard.up("ArrowLeft")
    wait_until(page, f"{away_from(0.7 * 32, 0.3 * 32)} < 1")
    press(page, "Nobody")
    wait_until(page, "player.play.force.every((part) => part === 0)")
    page.keyboard.press("ArrowLeft")
    assert look(page, "player.choices.driver") == "you"


@pytest.mark.parametrize(("steered", "where"), [("Reality", "player.play.block.position"), ("The dream", DREAMED)])
def test_the_block_follows_the_pointer_that_pushes(open_page, trained_page, steered, where):
    page = open_page(trained_page)
    press(page, "You")
    press(page, steered)
    press(page, "Pushes")
    page.mouse.move(*place(page, 10, 22))
    page.mouse.down()
    wait_until(page, f"{away_from(10, 22, where)} < 1.5")
    page.locator(FIELD).dispatch_event("pointerup", {"pointerId": 9, "isPrimary": False})  # a palm that was lifted
    page.mouse.move(*place(page, 22, 10))
    wait_until(page, f"{away_from(22, 10, where)} < 1.5")
    page.mouse.up()
    wait_until(page, "player.play.force.every((part) => part === 0)")


def test_space_stops_and_starts_the_physics_also_after_a_click_on_a_button(open_page, untrained_page):
    page = open_page(untrained_page)
    press(page, "Nobody")
    page.keyboard.press("Space")
    assert page.inner_text("[data-part=status]").endswith("Stopped.")
    before = look(page, "player.play.dreamed")
    page.wait_for_timeout(400)
    assert look(page, "player.play.dreamed") == before
    page.keyboard.press("Space")
    wait_until(page, f"player.play.dreamed > {before}")


def test_reset_begins_anew_and_keeps_the_target(open_page, untrained_page):
    page = open_page(untrained_page)
    click(page, 9, 9)
    target = look(page, "Array.from(player.target.pixels)")
    wait_until(page, "player.play.dreamed > 4")
    press(page, "Stop")
    press(page, "Reset")
    assert look(page, "player.play.dreamed") == 0
    assert look(page, "Array.from(player.target.pixels)") == target


def test_everything_can_be_done_by_keyboard(open_page, trained_page):
    page = open_page(trained_page)
    reached = []
    for _ in range(13):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent || document.activeElement.dataset.part"))
    choices = ["Policy", "You", "Nobody", "Reality", "The dream", "Draws", "Erases", "Pushes"]
    assert reached == ["field", *choices, "Stop", "Re-sync the dream", "Clear the target", "Reset"]
    page.focus("[data-action=clear]")
    page.keyboard.press("Enter")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(f"Shift+{key}")
    wait_until(page, f"{away_from(15, 17)} < 1")  # the first press puts a target in the middle
    page.focus("[data-value=you]")
    page.keyboard.press("Space")
    assert page.get_attribute("[data-value=you]", "aria-pressed") == "true"
    assert page.get_attribute("[data-value=policy]", "aria-pressed") == "false"


def test_a_finger_can_play_too(open_page, trained_page):
    page = open_page(trained_page, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.touchscreen.tap(*place(page, 6, 27))
    wait_until(page, f"{away_from(6, 27)} < 1")


@pytest.mark.parametrize("width", [1280, 844, 768, 390, 300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_where_it_is_shown(open_page, untrained_page, width, scheme):
    page = open_page(untrained_page, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(FIELD).bounding_box()["width"] > 0.4 * min(width, 1000)


def test_on_a_phone_that_lies_on_its_side_the_field_is_seen_whole(open_page, untrained_page):
    page = open_page(untrained_page, viewport={"width": 667, "height": 375}, has_touch=True, is_mobile=True)
    assert page.locator(FIELD).bounding_box()["height"] < 375


def test_what_was_pressed_before_a_reset_or_before_nobody_pushed_is_forgotten(open_page, untrained_page):
    page = open_page(untrained_page, reduced_motion="reduce")
    for forget in ("Reset", "Nobody"):
        press(page, "You")
        page.keyboard.press("ArrowDown")
        press(page, forget)
        press(page, "Nobody")
        assert look(page, "Array.from((player.nextFrame(), player.play.force))") == [0, 0]
        for _ in range(3):
            look(page, "player.nextFrame()")


def test_of_several_changes_that_come_at_once_the_last_says_whether_the_board_is_seen(open_page, untrained_page):
    observed = "window.IntersectionObserver = class { constructor(tell) { window.tell = tell; } observe() {} };"
    page = open_page(untrained_page, init=observed)
    page.evaluate("tell([{ isIntersecting: true }, { isIntersecting: false }])")
    dreamed = look(page, "player.play.dreamed")
    page.wait_for_timeout(400)
    assert look(page, "player.play.dreamed") <= dreamed + 1
    page.evaluate("tell([{ isIntersecting: false }, { isIntersecting: true }])")
    wait_until(page, f"player.play.dreamed > {dreamed + 2}")


@pytest.mark.parametrize(("size", "top"), [(32, 0), (128, 12.1)])  # % of the height, from above
def test_a_larger_world_has_a_higher_curve(open_page, size, top):
    plot = f"const root = document.createElement('div'); curve(root, {{ size: {size} }})(30, false);"
    points = open_page(SHELL).evaluate(
        f"() => {{ {page_script()}\n{plot} return root.querySelector('polyline').getAttribute('points'); }}"
    )
    assert float(points.split(",")[1]) == pytest.approx(top, abs=0.05)


def test_who_asked_for_little_motion_starts_it_himself(open_page, untrained_page):
    page = open_page(untrained_page, reduced_motion="reduce")
    assert page.inner_text("[data-action=run]") == "Start"
    assert "nothing was dreamed yet" in page.get_attribute("[data-part=curve]", "aria-label")
    page.wait_for_timeout(300)
    assert look(page, "player.play.dreamed") == 0
    press(page, "Start")
    wait_until(page, "player.play.dreamed > 2")


def test_without_scripts_there_is_one_sentence(open_page, untrained_page):
    page = open_page(untrained_page, java_script_enabled=False)
    assert page.inner_text("body").strip() == (
        "The player needs scripts and a current browser, and one of the two is missing here."
    )


def test_while_megabytes_come_it_is_said_and_not_blamed_on_the_browser(open_page, untrained_page):
    begun = untrained_page.partition('<div class="player-board"')[0]
    assert open_page(begun).inner_text(".player-without") == "The player is loading."


def test_a_browser_that_does_not_know_the_scripts_words_gets_the_sentence(open_page, untrained_page):
    page = open_page(untrained_page.replace('"use strict";', "return;"))
    assert page.inner_text(".player-without").startswith("The player needs scripts and a current browser")


@pytest.mark.parametrize(
    ("take_away", "sentence"),
    [
        (
            "HTMLCanvasElement.prototype.getContext = () => null",
            "The player needs a canvas to draw on, which this browser does not offer.",
        ),
        (
            "delete window.PointerEvent",
            "The player needs pointer events, which this browser does not offer.",
        ),
        (
            "Float64Array.from = undefined",
            "The player could not start: Float64Array.from is not a function.",
        ),
    ],
)
def test_a_browser_without_what_the_page_needs_gets_one_sentence(open_page, untrained_page, take_away, sentence):
    page = open_page(untrained_page, init=take_away)
    assert page.inner_text("body").strip() == sentence


def test_it_plays_in_the_sandbox_in_which_kubeflow_shows_reports(open_page, trained_page):
    srcdoc = escape(trained_page)
    page = open_page(
        f'<!doctype html><iframe sandbox="allow-scripts" width="800" height="1000" srcdoc="{srcdoc}"></iframe>'
    )
    frame = page.frames[1]
    box = frame.locator(FIELD).bounding_box()
    page.mouse.click(box["x"] + box["width"] * 6 / 32, box["y"] + box["height"] * 8 / 32)
    frame.wait_for_function(f"() => {{{LOOK} return {away_from(6, 8)} < 1}}", timeout=10_000)
    page.keyboard.press("Space")
    assert frame.inner_text("[data-part=status]").endswith("Stopped.")
