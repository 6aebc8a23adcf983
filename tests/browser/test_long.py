"""A conversation of 10,000 messages: what cannot be seen is not in the page."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.desk import Desk
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server

COUNT = 10_000
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def long_conversation(count: int = COUNT) -> tuple[str, str]:
    """Make a conversation whose messages differ in length; return its id and its document."""
    conversation_id = str(uuid4())
    messages = [
        {
            "id": str(uuid4()),
            "role": "assistant" if number % 2 else "user",
            "content": f"Message {number}. " + "So it goes on, and on. " * (number * 7 % 23),
            "timestamp": (BEGUN + timedelta(minutes=number)).isoformat(),
        }
        for number in range(count)
    ]
    last = messages[-1]["timestamp"]
    document = {"id": conversation_id, "created_at": BEGUN.isoformat(), "messages": messages, "updated_at": last}
    return conversation_id, json.dumps(document)


@pytest.fixture
def long(open_desk: Open, served: Server, mock_openrouter: Mock) -> Desk:
    """Return the page, showing the end of a long conversation."""
    conversation_id, document = long_conversation()
    (served.data / "conversations" / f"{conversation_id}.json").write_text(document)
    desk = open_desk().open(f"#/c/{conversation_id}")
    expect(desk.messages.last).to_contain_text(f"Message {COUNT - 1}.")
    return desk


def test_little_of_it_is_in_the_page_and_all_of_it_can_be_read(long: Desk) -> None:
    expect(long.page.get_by_text("Reading what was said before")).to_have_count(0)
    expect(long.messages.nth(60)).to_have_count(0)
    expect(long.messages.last).to_be_in_viewport()

    long.page.locator(".scroll").press("Home")
    expect(long.page.get_by_text("Message 0.", exact=True)).to_be_in_viewport()
    expect(long.messages.nth(60)).to_have_count(0)
    long.button("To the newest").click()
    expect(long.messages.last).to_contain_text(f"Message {COUNT - 1}.")
    expect(long.messages.last).to_be_in_viewport()


def test_it_is_gone_on_with(long: Desk) -> None:
    long.send("And another.").answered()

    expect(long.replies.last).to_contain_text("word63")
    expect(long.replies.last.get_by_role("button", name="Another reply")).to_be_visible()
    expect(long.replies.last).to_be_in_viewport()
