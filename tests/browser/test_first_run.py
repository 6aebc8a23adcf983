"""A fresh start, with the embedded model and the character that comes with it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.support.server import Server
from tests.support.starting import StartServer


@pytest.fixture(scope="module")
def served(start_shared_server: StartServer) -> Server:
    return start_shared_server()


def test_one_talks_at_once_and_nothing_is_fetched_from_elsewhere(open_desk: Open) -> None:
    desk = open_desk().open()
    expect(desk.page.get_by_role("heading", name="Lumi")).to_be_visible()
    desk.send("Hello! Who are you?")

    expect(desk.messages.last.locator(".text")).to_have_text(re.compile(r"\w"), timeout=120_000)
