"""The networks in the page compute what PyTorch computes.

python -m pytest -m browser tests/viewer/player/test_page_networks.py

Both in double precision on the same weights: a dream is chaotic at the walls, so that in single precision two
implementations of the same network part within 50 timesteps.
"""

import json

import numpy as np
import pytest
import torch
from inside import LOOK, PACK, SHELL, numbers
from torch import nn
from torch.nn import functional

from models.config import PolicyConfig, WorldModelConfig
from models.goal_figures import drive_policy
from models.policy import Policy, encode_target
from models.world_model import WorldModel
from sim_core.episodes import random_goals
from sim_core.raster import render
from sim_core.world import State, World, simulate
from viewer.player import page_script, player
from viewer.player.export import for_page, pack
from viewer.player.trace import trace

pytestmark = pytest.mark.browser
TIMESTEPS = 200

DREAM = (
    LOOK
    + PACK
    + """
const { networks } = player.play;
let state = networks.start();
for (const { observation, force } of given.context) {
  const latent = networks.encode(Float64Array.from(observation))[0];
  state = networks.observe(...state, latent, Float64Array.from(force));
}
const dreamt = [];
for (const force of given.forces) {
  state = networks.imagine(...state, Float64Array.from(force));
  dreamt.push(...state.map((part) => Array.from(part)).flat(), ...networks.show(...state)[0]);
}
return pack(dreamt);"""
)


def dream_in_page(page, observations, forces):
    context = [
        {"observation": observation.ravel().tolist(), "force": force.tolist()}
        for observation, force in zip(observations, forces, strict=False)
    ]
    given = {"context": context, "forces": forces[len(context) :].tolist()}
    return numbers(page.evaluate(f"(given) => {{{DREAM}}}", given), TIMESTEPS, -1)


def dream_in_torch(model, observations, forces):
    observations, forces = (torch.from_numpy(each).double() for each in (observations, forces))
    latents = model.encode(observations)
    state = model.filter(latents[None], forces[None, : len(latents)])
    dreamt = []
    for force in forces[len(latents) :]:
        state = model.core.imagine(state, force[None])
        frames = model.decode(model.core.latent(state)).sigmoid()
        dreamt.append(torch.cat([*(part[0] for part in state), frames.flatten()]))
    return torch.stack(dreamt).numpy()


@torch.no_grad()
def played_forces(model, policy, observations, world):
    """The forces of a play: nothing pushes at first, then the policy steers the dream to one target after the other."""
    targets = random_goals("evaluation", range(TIMESTEPS // 25), world)[1]
    aims = encode_target(model, torch.from_numpy(render(targets, world)))
    forces = [torch.zeros(1, 2)] * len(observations)
    state = model.filter(model.encode(torch.from_numpy(observations))[None], torch.stack(forces, 1))
    for t in range(TIMESTEPS):
        forces.append(policy(state, aims[t // 25, None], forces[-1]))
        state = model.core.imagine(state, forces[-1])
    return torch.cat(forces).numpy()


@pytest.mark.parametrize("raster", ["coverage", "pixel"])
@torch.no_grad()
def test_a_dream_of_200_timesteps_on_the_forces_of_a_play_is_that_of_torch(open_page, trained, trained_page, raster):
    model, policy, _ = trained
    world = World(raster=raster)
    path, _ = simulate(State(np.array([9.3, 20.6]), np.array([0.4, -0.3])), np.zeros((4, 2)), world)
    observations = render(path, world)
    forces = played_forces(model, policy, observations, world)
    found = dream_in_page(open_page(trained_page), observations, forces)
    expected = dream_in_torch(for_page(model, policy)[0], observations, forces)
    assert expected[:, -4096:].reshape(TIMESTEPS, 4, -1).sum(-1).min() > 12, "a block all the while"
    assert np.abs(found - expected).max() < 1e-4


@torch.no_grad()
def test_the_policy_in_the_page_drives_as_it_does_in_python(open_page, trained, trained_page):
    model, policy, world = trained
    model, policy = for_page(model, policy)
    model.float()
    policy.float()
    start, target = random_goals("evaluation", range(3), world)
    image = render(target, world)
    positions, forces = drive_policy(model, policy, start, image, 50, world)
    drive = (
        LOOK
        + """
    const { play, target } = player;
    play.restart(given.position, given.velocity);
    play.setTarget(Float64Array.from(given.target));
    const driven = [];
    for (let t = 0; t < 50; t++) {
      play.step(play.policy("reality"));
      driven.push([...play.force, ...play.block.position]);
    }
    return driven;"""
    )
    page = open_page(trained_page)
    page.evaluate(LOOK + "player.act.run()")  # only the test moves it
    for i in range(3):
        given = {
            "position": start.position[i].tolist(),
            "velocity": start.velocity[i].tolist(),
            "target": image[i].ravel().tolist(),
        }
        driven = np.array(page.evaluate(f"(given) => {{{drive}}}", given))
        assert np.abs(driven[:, :2] - forces[i, 1:]).max() < 1e-3
        assert np.abs(driven[:, 2:] - positions[i, 1:, -1]).max() < 1e-2


@torch.no_grad()
def test_each_function_is_that_of_torch(open_page, untrained, untrained_page):
    model, policy = for_page(*untrained)
    config = model.config
    page = open_page(untrained_page)
    state = [torch.randn(1, n, dtype=torch.float64) for n in (config.state, config.lstm, config.lstm)]
    drawing = torch.rand(1, config.size, config.size, dtype=torch.float64)  # nothing in it is empty
    latent, force = torch.randn(1, config.latent, dtype=torch.float64), torch.rand(1, 2, dtype=torch.float64)
    remembered = type(model.core.initial(1))(*state)
    expected = {
        "start": ([], model.core.initial(1)),
        "aim": ([drawing], [encode_target(model, drawing)]),
        "encode": ([drawing.expand(1, 4, -1, -1) ** 2], [model.encode(drawing.expand(1, 4, -1, -1) ** 2)]),
        "observe": ([*state, latent, force], model.core.observe(remembered, latent, force)),
        "imagine": ([*state, force], model.core.imagine(remembered, force)),
        "show": (state, [model.decode(model.core.latent(remembered)).sigmoid()]),
        "act": ([*state, latent, force], [policy(remembered, latent, force)]),
    }
    for name, (inputs, outputs) in expected.items():
        found = page.evaluate(
            f"""([name, inputs]) => {{{LOOK + PACK}
            const outputs = player.play.networks[name](...inputs.map((input) => Float64Array.from(input)));
            return outputs.map(pack);}}""",
            [name, [each.flatten().tolist() for each in inputs]],
        )
        assert len(found) == len(outputs)
        for ours, theirs in zip(found, outputs, strict=True):
            assert np.abs(numbers(ours, -1) - theirs.flatten().numpy()).max() < 1e-5, name


@torch.no_grad()
def test_what_the_page_remembers_is_filtered_and_refined_as_by_torch(open_page):
    torch.manual_seed(0)
    config = WorldModelConfig(memory=3, refinements=2)
    model, policy, world = WorldModel(config), Policy(PolicyConfig(8), config), World(raster="pixel")
    nn.init.normal_(model.core.refinement.write.weight)
    page = open_page(SHELL.format(player(model, policy, world)))
    page.evaluate(LOOK + "player.act.run()")  # only the test moves it
    found = page.evaluate(
        f"""() => {{{LOOK + PACK}
        const {{ play }} = player;
        play.restart([9.3, 20.6], [0.4, -0.3]);
        const states = [play.filter().map(pack)];
        for (let t = 1; t < 6; t++) {{
          play.step([t / 10, -t / 20]);
          states.push(play.filter().map(pack));
        }}
        return states;}}"""
    )
    model = for_page(model, policy)[0]
    forces = torch.tensor([[t / 10, -t / 20] for t in range(6)], dtype=torch.float64)
    path, _ = simulate(State(np.array([9.3, 20.6]), np.array([0.4, -0.3])), forces.numpy(), world)
    latents = model.encode(torch.from_numpy(render(path, world)).double())
    for t, parts in enumerate(found, 1):
        expected = model.filter(latents[None, :t], forces[None, :t])
        for ours, theirs in zip(parts, expected, strict=True):
            assert np.abs(numbers(ours, 1, -1) - theirs.numpy()).max() < 1e-5, t


class Elsewhere(nn.Module):
    """What models/ might become: other layers, activations, reductions and views."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ELU(), nn.Conv2d(6, 8, (3, 2), dilation=2), nn.LeakyReLU()
        )
        self.norm = nn.LayerNorm(8)
        self.gru = nn.GRUCell(8, 12)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(12, 5, 4, stride=2, padding=1, output_padding=1),
            nn.SiLU(),
            nn.ConvTranspose2d(5, 3, (2, 3), dilation=2, bias=False),
            nn.Hardtanh(),
        )

    def forward(self, frames, state):
        maps = self.down(frames)
        features = self.norm(maps.mean((-1, -2)) + maps.amax((-1, -2)))
        state = self.gru(functional.gelu(features, approximate="tanh"), state)
        tokens = torch.stack([state, -state, functional.softplus(state)], 1)
        mixed, _ = self.attention(tokens, tokens, tokens)
        image = self.up(mixed.softmax(-1).transpose(1, 2)[..., None].expand(-1, -1, -1, 2))
        return state, torch.where(image > 0, image.clamp(max=0.5), image.abs().sqrt()), image.permute(0, 2, 3, 1)


@torch.no_grad()
def test_another_architecture_runs_in_the_same_page(open_page):
    torch.manual_seed(0)
    module = Elsewhere().double()
    inputs = (torch.rand(1, 4, 15, 17, dtype=torch.float64), torch.randn(1, 12, dtype=torch.float64))
    program = pack(trace(module, {"other": (module, inputs)}))
    script = f"{page_script()}\nwindow.networks = readNetworks({json.dumps(program)});"
    page = open_page(SHELL.format(f"<script>(() => {{{script}}})()</script>"))
    found = page.evaluate(
        f"(given) => {{{PACK}return networks.other(...given.map((each) => Float64Array.from(each))).map(pack)}}",
        [each.flatten().tolist() for each in inputs],
    )
    for ours, theirs in zip(found, module(*inputs), strict=True):
        assert np.abs(numbers(ours, *theirs.shape) - theirs.numpy()).max() < 1e-5
