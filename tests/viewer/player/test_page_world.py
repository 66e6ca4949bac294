"""The page's simulator is that of sim_core: python -m pytest -m browser tests/viewer/player/test_page_world.py"""

from dataclasses import asdict

import numpy as np
import pytest
from inside import LOOK

from sim_core.episodes import random_episodes
from sim_core.raster import render
from sim_core.world import State, World, simulate

pytestmark = pytest.mark.browser
FLIGHT = (
    LOOK
    + """
const { world, position, velocity, forces } = given;
const block = { position, velocity };
const flown = [];
for (const force of forces) {
  for (let i = 0; i < world.frames; i++) {
    player.advance(block, force, world);
    flown.push([...block.position, ...block.velocity]);
  }
}
return flown;"""
)
RENDERED = (
    LOOK
    + """
return given.positions.map((position) => {
  const frame = new Float64Array(given.world.size ** 2);
  player.render(position, given.world, frame);
  return Array.from(frame);
});"""
)


@pytest.mark.parametrize(
    "world", [World(), World(size=20, block=3, frames=7, force=8.5, drag=0.2)], ids=["usual", "wild"]
)
def test_the_block_flies_as_in_python_through_200_timesteps_and_many_bounces(open_page, untrained_page, world):
    forces = random_episodes("training", range(1), 199, World()).forces[0].astype(float)
    start = State(np.array([world.low, world.high - 0.3]), np.array([-1.7, 0.9]))
    positions, velocities = simulate(start, forces, world)
    given = {
        "world": asdict(world),
        "position": start.position.tolist(),
        "velocity": start.velocity.tolist(),
        "forces": forces.tolist(),
    }
    flown = np.array(open_page(untrained_page).evaluate(f"(given) => {{{FLIGHT}}}", given))
    expected = np.concatenate([positions, velocities], -1).reshape(-1, 4)
    assert np.abs(np.diff(np.sign(expected[:, 2:]), axis=0)).sum() > 20, "bounces"
    assert np.abs(flown - expected).max() < 1e-9


@pytest.mark.parametrize("raster", ["coverage", "pixel"])
def test_frames_are_rendered_as_in_python_at_the_walls_and_halfway_between_pixels_too(
    open_page, untrained_page, raster
):
    for world in (World(raster=raster), World(size=9, block=1, raster=raster)):
        edges = np.array([world.low, world.low + 0.5, world.low + 1.5, world.low + 2, world.high - 0.5, world.high])
        corners = np.stack(np.meshgrid(edges, edges), -1).reshape(-1, 2)
        anywhere = np.random.default_rng(0).uniform(world.low, world.high, (100, 2))
        positions = np.concatenate([corners, anywhere])
        given = {"world": asdict(world), "positions": positions.tolist()}
        found = np.array(open_page(untrained_page).evaluate(f"(given) => {{{RENDERED}}}", given))
        assert np.abs(found - render(positions, world).reshape(len(positions), -1)).max() < 1e-6
