"""A browser, and a server whose models are the mock's."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.desk import PATIENCE_MS, Desk
from tests.conftest import KEY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
QUICK = "mock/n64-d2"
"""The model of most tests: nobody waits for it."""
HELD = "mock/n64-h8"
"""The model of tests that look into the middle of a reply, which goes on when the mock is told to release it."""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def served(start_shared_server: StartServer, mock_openrouter_process: Mock) -> Server:
    """Return a server that all tests of a module share."""
    return start_shared_server(
        OPENROUTER_API_KEY=KEY,
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_MODEL=QUICK,
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run Debian's chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


type Open = Callable[..., Desk]


@pytest.fixture
def open_desk(browser: Browser, served: Server) -> Iterator[Open]:
    """Open the page in a browser of its own; what goes wrong in it, and what is fetched elsewhere, fails the test.

    ``beside`` is an address that may be asked, too; ``model`` the one that is chosen.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_(url: str | None = None, *, path: str = "", beside: str = "", model: str = "", **options: Any) -> Desk:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", **options)
        context.set_default_timeout(PATIENCE_MS)
        if model:
            chosen = f"sessionStorage.setItem('idolchat.model', {json.dumps(model)})"
            context.add_init_script(f"if (location.protocol === 'http:') {chosen}")  # a blank page keeps nothing
        contexts.append(context)
        return Desk(watched(context, (url or served.url, beside), wrong), f"{url or served.url}{path}")

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def watched(context: BrowserContext, urls: Iterable[str], wrong: list[str]) -> BrowserContext:
    """Record errors of the page, and requests to any server but these."""
    expected = (*filter(None, urls), "data:", "blob:")

    def asked(request: Request) -> None:
        if not request.url.startswith(expected):
            wrong.append(f"fetched {request.url}")

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            wrong.append(message.text)

    def opened(page: Page) -> None:
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", said)

    context.on("request", asked)
    context.on("page", opened)
    return context


@pytest.fixture
def desk(open_desk: Open, mock_openrouter: Mock) -> Desk:
    """Return the page, opened."""
    return open_desk().open()


@pytest.fixture(scope="session")
def axe(repository: Path) -> str:
    """Return the script that looks for what shuts people out."""
    return (repository / "packages" / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the folder of this checkout."""
    return Path(__file__).parents[2]
