"""What Python puts into the player's page: python -m pytest tests/viewer/player/test_page_export.py"""

import base64
import re

import pytest
import torch
from torch import nn

from models.config import PolicyConfig, WorldModelConfig
from models.policy import Policy
from models.world_model import WorldModel
from sim_core.world import World
from viewer.player import page_script, player
from viewer.player.export import export, pack
from viewer.player.trace import trace


@pytest.fixture(scope="module")
def fragment():
    config = WorldModelConfig()
    return player(WorldModel(config), Policy(PolicyConfig(), config), World())


def program_of(function, *inputs):
    return pack(trace(nn.Module(), {"the layer": (lambda *given: (function(*given),), inputs)}))


def test_the_page_is_small_and_has_everything_in_it(fragment):
    assert 0.5e6 < len(fragment) < 1.5e6
    assert "src=" not in fragment
    assert "@import" not in fragment
    assert re.findall(r"https?://[^\s\"']+", fragment) == ["http://www.w3.org/2000/svg"], "the name of SVG, no address"


def test_the_page_evaluates_no_text_and_keeps_nothing(fragment):
    for word in ("eval(", "Function(", "localStorage", "sessionStorage", "cookie", "innerHTML", "fetch("):
        assert word not in fragment


def test_without_scripts_the_page_is_one_sentence(fragment):
    assert fragment.count('<p class="player-without">The player needs scripts') == 1
    assert '<div class="player-board" hidden>' in fragment


def test_weights_that_two_functions_share_are_in_the_page_once():
    config = WorldModelConfig()
    model, policy = WorldModel(config), Policy(PolicyConfig(), config)
    parameters = [*model.parameters(), *policy.parameters()]
    for parameter in parameters:
        nn.init.normal_(parameter)
    weights = sum(parameter.numel() for parameter in parameters)
    halves, _, _ = export(model, policy)["constants"]
    assert len(base64.b64decode(halves)) / 2 == pytest.approx(weights, rel=0.02)


def test_a_world_that_the_networks_were_not_made_for_is_refused():
    config = WorldModelConfig()
    with pytest.raises(ValueError, match=r"the world has 2 frames of 16 px a timestep, but .* for 4 of 32 px"):
        player(WorldModel(config), Policy(PolicyConfig(), config), World(size=16, frames=2))


def test_other_widths_need_no_other_page():
    config = WorldModelConfig(size=12, frames=2, maps=3, latent=5, hidden=7, rank=2, state=6, lstm=9, mlp=4, memory=2)
    program = export(WorldModel(config), Policy(PolicyConfig(5), config))
    assert program["past"] == 2
    assert [length for _, length in program["functions"]["imagine"]["outputs"]] == [6, 9, 9]
    assert [length for _, length in program["functions"]["show"]["outputs"]] == [2 * 12 * 12]


def test_the_page_knows_every_operation_that_is_exported():
    program = export(WorldModel(WorldModelConfig()), Policy(PolicyConfig(), WorldModelConfig()))
    script = page_script()
    for function in program["functions"].values():
        for operation in function["operations"]:
            assert f"{operation['kind']}: plan" in script
            if operation["kind"] == "map":
                assert re.search(rf"^  {operation['function']}: ", script, re.MULTILINE)


@pytest.mark.parametrize(
    ("function", "inputs", "name"),
    [
        (lambda x: torch.cumsum(x, 1), [torch.ones(1, 4)], "aten.cumsum.default"),
        (lambda x: torch.div(x, 2, rounding_mode="floor"), [torch.ones(1, 4)], "aten.div.Tensor_mode"),
        (nn.functional.gelu, [torch.ones(1, 4)], "aten.erf.default"),
        (lambda x: nn.functional.max_pool2d(x, 2), [torch.ones(1, 1, 4, 4)], "aten.max_pool2d_with_indices.default"),
    ],
    ids=["cumsum", "floor", "gelu", "pooling"],
)
def test_an_operation_that_the_page_does_not_know_is_refused_by_name(function, inputs, name):
    with pytest.raises(ValueError, match=rf"^the layer cannot run in a page: it needs the operation {name}, and"):
        program_of(function, *inputs)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.Conv2d(2, 2, 3, groups=2), (1, 2, 5, 5), "but one has 2 dimensions and 2 groups"),
        (nn.Conv1d(2, 2, 3), (1, 2, 5), "but one has 1 dimensions and 1 groups"),
    ],
    ids=["groups", "line"],
)
def test_a_convolution_of_another_kind_is_refused(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        pack(trace(layer, {"the layer": (lambda x: (layer(x),), (torch.ones(shape),))}))


def test_what_depends_on_no_input_is_computed_beforehand():
    program = program_of(lambda x: x + torch.arange(3.0).exp().cumsum(0), torch.ones(1, 3))
    (operation,) = program["functions"]["the layer"]["operations"]
    assert (operation["kind"], operation["function"]) == ("map", "add")
