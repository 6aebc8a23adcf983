"""The tutorial: a page of somebody else's, on another address."""

import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import KEY
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.starting import StartServer

MOST_LINES = 75


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere(repository: Path) -> Iterator[str]:
    """Serve the example's folder from an address of its own."""
    handler = partial(_Quiet, directory=str(repository / "examples" / "front-end"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def served(start_shared_server: StartServer, mock_openrouter_process: Mock, elsewhere: str) -> Server:
    return start_shared_server(
        OPENROUTER_API_KEY=KEY,
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_MODEL="mock/n64-h16",
        IDOLCHAT_API_ALLOWED_ORIGINS=elsewhere,
    )


@pytest.fixture
def page(browser: Browser, served: Server, elsewhere: str, mock_openrouter: Mock) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{elsewhere}/?server={served.url}")
    yield page
    context.close()


def say(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("button", name="Send").click()


def test_it_talks(page: Page, mock_openrouter: Mock) -> None:
    say(page, "Hello!")
    expect(page.locator("p.assistant")).to_contain_text("word9 ")
    mock_openrouter.release()

    expect(page.locator("p.user")).to_have_text("Hello!")
    expect(page.locator("p.assistant")).to_contain_text("word63")


def test_it_stops(page: Page) -> None:
    say(page, "Hello!")
    expect(page.locator("p.assistant")).to_contain_text("word9 ")
    page.get_by_role("button", name="Stop").click()

    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.locator("p.assistant")).not_to_contain_text("word63")


def test_a_reload_in_the_middle_of_a_reply_goes_on(page: Page, served: Server, mock_openrouter: Mock) -> None:
    say(page, "Hello!")
    expect(page.locator("p.assistant")).to_contain_text("word9 ")
    page.reload()
    expect(page.locator("p.assistant")).to_contain_text("word9 ")
    mock_openrouter.release()

    expect(page.locator("p.assistant")).to_contain_text("word63")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()  # so it is on disk
    document = json.loads(served.document(page.evaluate("sessionStorage.conversation")).read_text())
    expect(page.locator("p")).to_have_text([message["content"] for message in document["messages"]])


def test_it_is_as_short_as_the_tutorial_says_and_shown_there(repository: Path) -> None:
    example = (repository / "examples" / "front-end" / "index.html").read_text()
    tutorial = (repository / "docs" / "tutorials" / "front-end.md").read_text()

    assert len(example.splitlines()) <= MOST_LINES
    assert re.findall(r"```html\n(.*?)```", tutorial, re.DOTALL) == [example]
