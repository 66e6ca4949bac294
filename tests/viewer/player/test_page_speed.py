"""How fast the page is: python -m pytest -m browser -s tests/viewer/player/test_page_speed.py

A page runs on one core, whatever the machine has.
"""

import pytest
from inside import LOOK

pytestmark = pytest.mark.browser
TIMED = (
    LOOK
    + """
const { play } = player;
const force = Float64Array.of(0.3, -0.2);
const timed = (work) => {
  for (let i = 0; i < 100; i++) work(); // until the browser has compiled it
  const start = performance.now();
  for (let i = 0; i < 400; i++) work();
  return (performance.now() - start) / 400;
};
const imagined = timed(() => {
  play.remember(play.networks.imagine(...play.state, force));
  play.networks.show(...play.state);
});
const frame = timed(() => {
  player.nextFrame();
  player.show();
});
return [imagined, frame];"""
)
COUNTED = """() => {
  const { putImageData } = CanvasRenderingContext2D.prototype;
  let pictures = 0;
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    if (this.canvas.dataset.part === "field") pictures++;
    return putImageData.apply(this, given);
  };
  return new Promise((resolve) => setTimeout(() => resolve(pictures / 4), 4000));
}"""


def test_the_page_shows_30_frames_a_second_and_imagines_a_timestep_in_12_ms(open_page, trained_page):
    page = open_page(trained_page)
    shown = page.evaluate(COUNTED)
    page.evaluate(f"() => {{{LOOK} player.act.run()}}")
    imagined, frame = page.evaluate(f"() => {{{TIMED}}}")
    print(
        f"\n{imagined:.2f} ms per imagined timestep; {shown:.1f} frames/s shown of 30, "
        f"{1000 / frame:.0f} possible with the policy at work"
    )
    assert imagined < 12
    assert 1000 / frame > 30
