"""The world as a Gymnasium environment: `gymnasium.make("sim_core.env:dreamblock/BlockWorld-v0")`."""

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Float, UInt8

from sim_core.raster import render
from sim_core.world import State, World, simulate

_WORLD = World()
_TIMESTEPS = 50
_SCALE = 8  # screen pixels per pixel of a frame
_OPTIONS = ("position", "velocity", "target")


class BlockWorldEnv(gymnasium.Env):
    """
    ## Description

    A block slides in a closed square, seen by a camera. A force pushes it and is held for one timestep, which is four
    frames; it bounces off the walls without loss, and drag slows it a little. The goal is to bring the block to rest
    where a second image, the target, shows it. Lengths are in pixels (px), times in frames.

    Per frame and axis, with force `f`: `v = v + 0.25 f - 0.01 v`, then `x = x + v`; beyond a wall at `w`,
    `x = 2 w - x` and `v = -v`. The centre of the 4 × 4 block lives in [2, 30]² of the 32 × 32 square.

    ## Action Space

    The action is a `ndarray` of float32 with shape `(2,)`: the force. One outside its bounds is a `ValueError`.

    | Num | Action           | Min | Max | Unit           |
    |-----|------------------|-----|-----|----------------|
    | 0   | force along x    | -1  | 1   | 0.25 px/frame² |
    | 1   | force along y    | -1  | 1   | 0.25 px/frame² |

    x points to the right, along the columns of a frame; y points down, along its rows.

    ## Observation Space

    The observation is a `dict` of two `ndarray` of float32.

    | Key           | Shape         | Min | Max | Meaning                                               |
    |---------------|---------------|-----|-----|-------------------------------------------------------|
    | `observation` | `(4, 32, 32)` | 0   | 1   | the frames of the last timestep, oldest first         |
    | `target`      | `(32, 32)`    | 0   | 1   | the frame of the block where it shall be              |

    A pixel's value is the share of it that the block covers, so that four frames hold position and velocity.

    ## Rewards

    In each timestep *r = -distance / 32*, with the Euclidean distance in px of the block's centre from the target's at
    the timestep's last frame, over the side of the square: from *-1.24* to zero.

    ## Starting State

    Position and target are uniform in [2, 30]² px, the velocity is uniform in [-1, 1]² px/frame. One timestep without a
    force follows and gives the first observation.

    ## Episode End

    The episode truncates after 50 timesteps. It never terminates.

    ## Information

    `info["distance"]` is the true distance in px, for scoring: an agent that learns from pixels must not see it.

    ## Arguments

    - `world`: a `sim_core.world.World`; `World(raster="pixel")` rounds the block to whole pixels, which hides a part of
      the state. Another `size` or number of `frames` changes the observation's shape.
    - `render_mode`: `"rgb_array"` gives the last frame in green and the target in blue, eight times enlarged.

    `reset(options={"position": ..., "velocity": ..., "target": ...})` sets any of the three, each two numbers (x, y), a
    velocity within [-32, 32]² px/frame; the vector environment takes a pair for all or one for each.

    ## Vectorized environment

    `gymnasium.make_vec` steps all blocks at once. All episodes end in the same step, and the next step starts new ones:
    its reward is zero and its action is ignored (`AutoresetMode.NEXT_STEP`). With `reset(seed=s)`, block i is that of a
    single environment with the seed `s + i`; a list has a seed for each.

    ## Version History

    * v0: first version.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012, a constant that Gymnasium names

    def __init__(self, world: World = _WORLD, render_mode: str | None = None):
        self.world = world
        self.render_mode = render_mode
        self.observation_space, self.action_space = _spaces(world)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        self._scene = _Scene(_start(self.np_random, self.world), options, self.world)
        observation, distance = self._scene.push(np.zeros(2))
        return observation, {"distance": float(distance)}

    def step(self, action: np.ndarray):
        observation, distance = self._scene.push(action)
        return observation, -float(distance) / self.world.size, False, False, {"distance": float(distance)}

    def render(self) -> UInt8[np.ndarray, "height width 3"] | None:
        return None if self.render_mode is None else self._scene.picture()


class BlockWorldVectorEnv(VectorEnv):
    """Many `BlockWorldEnv`, stepped at once; its docstring says how their episodes end and how they are seeded."""

    metadata = {**BlockWorldEnv.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int = _TIMESTEPS,
        world: World = _WORLD,
        render_mode: str | None = None,
    ):
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps
        self.world = world
        self.render_mode = render_mode
        self.single_observation_space, self.single_action_space = _spaces(world)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators = [seeding.np_random()[0] for _ in range(num_envs)]
        self._elapsed = -1  # timesteps of the episodes, of which there are none before a reset

    def reset(self, *, seed: int | list[int] | None = None, options: dict | None = None):
        if seed is not None:
            seeds = range(seed, seed + self.num_envs) if isinstance(seed, int) else seed
            if len(seeds) != self.num_envs:
                raise ValueError(f"seed must be one number or {self.num_envs} of them, got {len(seeds)}")
            self._generators = [seeding.np_random(each)[0] for each in seeds]
        starts = np.stack([_start(generator, self.world) for generator in self._generators])
        self._scene = _Scene(starts, options, self.world)
        self._elapsed = 0
        observation, distance = self._scene.push(np.zeros((self.num_envs, 2)))
        return observation, self._info(distance)

    def step(self, actions: np.ndarray):
        if self._elapsed < 0:
            raise gymnasium.error.ResetNeeded("call reset before step: no episode has begun")
        never = np.zeros(self.num_envs, bool)
        if self._elapsed == self.max_episode_steps:
            observation, info = self.reset()
            return observation, np.zeros(self.num_envs), never, never.copy(), info
        self._elapsed += 1
        observation, distance = self._scene.push(actions)
        truncated = np.full(self.num_envs, self._elapsed == self.max_episode_steps)
        return observation, -distance / self.world.size, never, truncated, self._info(distance)

    def render(self) -> tuple[UInt8[np.ndarray, "height width 3"], ...] | None:
        return None if self.render_mode is None else tuple(self._scene.picture())

    def _info(self, distance: Float[np.ndarray, " n"]) -> dict:
        return {"distance": distance, "_distance": np.ones(self.num_envs, bool)}


class _Scene:
    """One block, or a batch of them, and their targets."""

    def __init__(self, start: Float[np.ndarray, "*batch 3 2"], options: dict | None, world: World):
        self._world = world
        for name, value in (options or {}).items():
            if name not in _OPTIONS:
                raise ValueError(f"an option of reset is one of {', '.join(_OPTIONS)}, got {name!r}")
            if np.shape(value) not in {(2,), (*start.shape[:-2], 2)}:
                raise ValueError(f"the option {name} must be two numbers (x, y), got {value!r}")
            # A block so fast that it crossed the square many times in a frame would be folded back as many times.
            low, high = (-world.size, world.size) if name == "velocity" else (world.low, world.high)
            if not (np.min(value) >= low and np.max(value) <= high):
                raise ValueError(f"the option {name} must be within [{low}, {high}], got {value!r}")
            start[..., _OPTIONS.index(name), :] = value
        position, velocity, self._target = np.moveaxis(start, -2, 0)
        self._state = State(position, velocity)
        self._target_frame = render(self._target, world)

    def push(self, force: np.ndarray) -> tuple[dict, Float[np.ndarray, "*batch"]]:
        """The observation after one timestep, and the distances (px) at its last frame.

        Raises:
            ValueError: the force, which comes from outside, is not of the shape (*batch, 2), or out of its bounds.
        """
        if np.shape(force) != self._target.shape:
            raise ValueError(f"the action must be of shape {self._target.shape}, got {np.shape(force)}")
        moved, velocities = simulate(self._state, np.asarray(force)[..., None, :], self._world)
        self._state = State(moved[..., 0, -1, :], velocities[..., 0, -1, :])
        observation = {"observation": render(moved[..., 0, :, :], self._world), "target": self._target_frame.copy()}
        offset = self._state.position - self._target
        x, y = offset[..., 0], offset[..., 1]
        return observation, np.asarray(np.sqrt(x * x + y * y))

    def picture(self) -> UInt8[np.ndarray, "*batch height width 3"]:
        """The block in green and the target in blue."""
        green, blue = (
            render(position, self._world, np.uint8).repeat(_SCALE, axis=-2).repeat(_SCALE, axis=-1)
            for position in (self._state.position, self._target)
        )
        return np.stack([np.zeros_like(green), green, blue], axis=-1)


def _spaces(world: World) -> tuple[gymnasium.Space, gymnasium.Space]:
    frame = (world.size, world.size)
    observation = gymnasium.spaces.Dict(
        observation=gymnasium.spaces.Box(0, 1, (world.frames, *frame), np.float32),
        target=gymnasium.spaces.Box(0, 1, frame, np.float32),
    )
    return observation, gymnasium.spaces.Box(-1, 1, (2,), np.float32)


def _start(generator: np.random.Generator, world: World) -> Float[np.ndarray, "3 2"]:
    """Position (px), velocity (px/frame) and target (px)."""
    low = np.array([[world.low], [-1], [world.low]])
    high = np.array([[world.high], [1], [world.high]])
    return generator.uniform(low, high, (3, 2))


gymnasium.register(
    "dreamblock/BlockWorld-v0",
    entry_point="sim_core.env:BlockWorldEnv",
    vector_entry_point="sim_core.env:BlockWorldVectorEnv",
    max_episode_steps=_TIMESTEPS,
)
