"""The simulator, the rasteriser and the environment, beside writing the same bytes: python -m benchmarks simulator"""

import statistics
from collections.abc import Iterator

import gymnasium
import numpy as np
from gymnasium.utils.performance import benchmark_step

import sim_core.env  # noqa: F401  names the environment
from benchmarks.measure import PAIRS, Row, paired
from models.process import prepare
from sim_core.raster import render
from sim_core.world import State, World, simulate

# What is rendered at once: raster, type, blocks and timesteps; and the shares of the limit that it must and may reach.
# 8 timesteps of 1024 blocks write 32 MiB, as 1 of 8192 does; the 4 MiB of one timestep fit into the caches, where a
# copy is several times as fast. Both are shown.
RENDERED = (
    ("pixel", np.uint8, 1024, 8, 0.45, 0.8),
    ("pixel", np.uint8, 8192, 1, 0.45, 0.8),
    ("pixel", np.uint8, 1024, 1, 0.45, 0.8),
    ("coverage", np.float32, 1024, 8, 0.3, 0.6),
    ("coverage", np.float32, 1024, 1, 0.3, 0.6),
)
PHYSICS_BLOCKS = 8192
STEP_SECONDS = 0.25  # of one run of Gymnasium's benchmark


def rows() -> Iterator[Row]:
    prepare()  # as the steps of the pipeline do: freed memory is kept, so that it is not mapped anew each time
    for raster, dtype, blocks, timesteps, must, aim in RENDERED:
        yield rendering(World(raster=raster), dtype, blocks, timesteps, must, aim)
    yield physics(PHYSICS_BLOCKS)
    yield environment_step()


def rendering(world: World, dtype: type, blocks: int, timesteps: int, must: float, aim: float) -> Row:
    """Simulate and render into an array that is there, beside a copy of as many bytes."""
    state, forces = scene(world, blocks, timesteps)
    frames = render(simulate(state, forces, world)[0], world, dtype)
    other = np.empty_like(frames)
    time = paired(
        lambda: render(simulate(state, forces, world)[0], world, dtype, out=frames), lambda: np.copyto(other, frames)
    )
    count = blocks * timesteps * world.frames
    return Row(
        f"simulate and render, {world.raster}, {np.dtype(dtype)}, {blocks} blocks, {times(timesteps)}",
        f"{count / time.measured / 1e6:.1f} million frames/s",
        f"np.copyto of the same {frames.nbytes >> 20} MiB: {count / time.limit / 1e6:.1f} million frames/s",
        time.share,
        must,
        aim,
    )


def physics(blocks: int) -> Row:
    """The physics of one timestep beside a triad a frame, `a = b + 0.5 c`, that writes as much: every frame's state."""
    world = World()
    state, forces = scene(world, blocks, 1)
    track = np.zeros((world.frames, *np.shape(state)))
    b, c = np.zeros((2, *np.shape(state)))

    def triads() -> None:
        before = b
        for after in track:
            np.multiply(c, 0.5, out=after)
            np.add(before, after, out=after)
            before = after

    time = paired(lambda: simulate(state, forces, world), triads)
    count = blocks * world.frames
    return Row(
        f"physics alone, {blocks} blocks, 1 timestep",
        f"{count / time.measured / 1e6:.0f} million frames/s",
        f"a NumPy triad over the state for each frame: {count / time.limit / 1e6:.0f} million frames/s",
        time.share,
        0.3,
        0.6,
    )


def environment_step() -> Row:
    """Gymnasium's own benchmark, which draws an action for each step, beside an environment that has nothing to do."""
    env = gymnasium.make("dreamblock/BlockWorld-v0")
    ready = ReadyEnv(env)
    pairs = [
        [benchmark_step(each, STEP_SECONDS, seed=0) for each in (env, ready)]  # type: ignore[arg-type]  # says int
        for _ in range(PAIRS)
    ]
    ours, limit = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    return Row(
        "one step of the environment (4 frames), benchmark_step",
        f"{ours:.0f} steps/s",
        f"an environment that returns a ready observation: {limit:.0f} steps/s",
        statistics.median(rate / bound for rate, bound in pairs),
        0.2,
        0.5,
    )


class ReadyEnv(gymnasium.Env):
    """Every step returns the observation that another environment began with."""

    def __init__(self, env: gymnasium.Env):
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.begin = env.reset(seed=0)
        self.answer = (self.begin[0], 0.0, False, False, self.begin[1])

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        return self.begin

    def step(self, action: np.ndarray):
        return self.answer


def scene(world: World, blocks: int, timesteps: int) -> tuple[State, np.ndarray]:
    """States as they may be found, and forces [blocks, timesteps, 2]."""
    draw = np.random.default_rng(0)
    state = State(draw.uniform(world.low, world.high, (blocks, 2)), draw.uniform(-1, 1, (blocks, 2)))
    return state, draw.uniform(-1, 1, (blocks, timesteps, 2)).astype(np.float32)


def times(timesteps: int) -> str:
    return f"{timesteps} timestep{'s' * (timesteps > 1)}"
