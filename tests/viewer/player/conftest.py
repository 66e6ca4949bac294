"""A real browser without a network, and the player's page as a file in it."""

from collections.abc import Callable, Iterator

import pytest
import torch
from inside import SHELL
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from models.config import PolicyConfig, WorldModelConfig
from models.policy import Policy
from models.world_model import WorldModel
from sim_core.world import World
from viewer.player import player
from viewer.weights import PRETRAINED, load_weights

CHROMIUM = "/usr/bin/chromium"  # Debian's


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, tmp_path) -> Iterator[Callable[..., Page]]:
    """Opens HTML as a file, without a network. Not a message may come from it, and nothing may be fetched."""
    heard: list[str] = []
    opened: list[str] = []
    contexts: list[BrowserContext] = []

    def open_page(html: str, init: str = "", **settings) -> Page:
        path = tmp_path / f"{len(contexts)}.html"
        path.write_text(html, "utf-8")
        contexts.append(browser.new_context(offline=True, **settings))
        page = contexts[-1].new_page()
        page.add_init_script(init)
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: opened.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []
    assert len(opened) == len(contexts), f"something was fetched: {opened}"


@pytest.fixture(scope="session")
def untrained() -> tuple[WorldModel, Policy]:
    """Networks of the real size that nobody trained: what they compute is as good as anything to compare."""
    torch.manual_seed(0)
    config = WorldModelConfig()
    model, policy = WorldModel(config), Policy(PolicyConfig(), config)
    for parameter in model.parameters():  # some begin at zero, and would hide what they should do
        torch.nn.init.normal_(parameter, std=0.1)
    model.latent_scale.uniform_(0.5, 2)
    return model.eval(), policy.eval()


@pytest.fixture(scope="session")
def untrained_page(untrained) -> str:
    model, policy = untrained
    return SHELL.format(player(model, policy, World()))


@pytest.fixture(scope="session")
def trained() -> tuple[WorldModel, Policy, World]:
    model, policy, world, _ = load_weights(PRETRAINED)
    return model, policy, world


@pytest.fixture(scope="session")
def trained_page(trained) -> str:
    model, policy, world = trained
    return SHELL.format(player(model, policy, world))
