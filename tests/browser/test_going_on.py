"""Nothing is lost or doubled, whatever happens to the window, the network or the server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.cable import Cable
from tests.browser.conftest import HELD, Open
from tests.browser.desk import Desk
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server

POINTS = range(0, 60, 6)
BYTES = (0, 1, 150, 400, 900, 1500, 3000, 6000, 9000, 12000)


@pytest.fixture
def cable(served: Server) -> Iterator[Cable]:
    with Cable(served.url) as cable:
        yield cable


def stored(served: Server, desk: Desk) -> list[dict[str, Any]]:
    """Read what was said from the file: without the greeting."""
    document = json.loads(served.document(desk.conversation_id).read_text())
    return [message for message in document["messages"] if message.get("origin") != "greeting"]


def assert_whole(served: Server, desk: Desk, *said: str) -> None:
    """Check that what is shown is what is stored, each message once and each reply complete."""
    expect(desk.replies.last).to_contain_text("word63")
    desk.answered()
    messages = stored(served, desk)
    assert [one["content"] for one in messages if one["role"] == "user"] == list(said)
    replies = [one for one in messages if one["role"] == "assistant"]
    assert [one["finish_reason"] for one in replies] == ["stop"] * len(said)
    shown = desk.replies.last.locator(".text").inner_text()
    assert shown.split() == replies[-1]["content"].split()


@pytest.mark.parametrize("point", POINTS)
def test_a_reload_goes_on_where_it_was(open_desk: Open, served: Server, mock_openrouter: Mock, point: int) -> None:
    desk = open_desk(model=f"mock/n64-h{point + 1}").open()
    desk.send("Hello!")
    expect(desk.replies.last).to_contain_text(f"word{point} ")
    desk.page.reload()
    expect(desk.replies.last).to_contain_text(f"word{point} ")
    mock_openrouter.release()

    assert_whole(served, desk, "Hello!")


@pytest.mark.parametrize("size_bytes", BYTES)
def test_a_lost_connection_goes_on_where_it_was_cut(
    open_desk: Open, served: Server, cable: Cable, mock_openrouter: Mock, size_bytes: int
) -> None:
    desk = open_desk(cable.url, model="mock/n64-h60").open()
    cable.cut_once_after(size_bytes)
    desk.send("Hello!")
    assert cable.wait_for_cut()
    mock_openrouter.release()

    assert_whole(served, desk, "Hello!")
    assert cable.cuts == 1


def test_what_is_sent_without_a_network_is_sent_when_it_is_back(open_desk: Open, served: Server, cable: Cable) -> None:
    desk = open_desk(cable.url).open()
    expect(desk.composer).to_be_visible()
    cable.pull_out()
    desk.send("Hello!")
    expect(desk.page.get_by_text("The connection is lost.")).to_be_visible()
    cable.plug_in()

    assert_whole(served, desk, "Hello!")
    expect(desk.page.get_by_text("The connection is lost.")).to_have_count(0)


def test_a_message_that_was_not_confirmed_outlives_a_reload(open_desk: Open, served: Server, cable: Cable) -> None:
    desk = open_desk(cable.url).open()
    desk.page.route("**/chat/stream", lambda route: None)  # it never arrives
    desk.send("Hello!")
    expect(desk.page.get_by_text("Sending…")).to_be_visible()
    desk.page.unroute("**/chat/stream")
    desk.page.reload()

    assert_whole(served, desk, "Hello!")


def test_another_window_follows_the_same_reply(open_desk: Open, served: Server, mock_openrouter: Mock) -> None:
    desk = open_desk(model=HELD).open()
    mock_openrouter.release()
    desk.send("Hello!").answered()
    other = desk.second_window()
    expect(other.replies.last).to_contain_text("word63")
    mock_openrouter.hold()
    desk.send("And again!")
    other.begun()
    mock_openrouter.release()

    assert_whole(served, other, "Hello!", "And again!")
    assert_whole(served, desk, "Hello!", "And again!")


def test_windows_that_send_at_once_both_show_all(desk: Desk, served: Server) -> None:
    desk.send("Hello!").answered()
    other = desk.second_window()
    expect(other.replies.last).to_contain_text("word63")
    desk.send("From here.")
    other.send("From there.")

    for window in (desk, other):
        expect(window.mine).to_have_count(3)
        window.answered()
        expect(window.replies.last.locator(".text")).to_contain_text("word63")
    assert sorted(one["content"] for one in stored(served, desk) if one["role"] == "user") == [
        "From here.",
        "From there.",
        "Hello!",
    ]


def test_another_browser_sees_what_was_said(open_desk: Open, served: Server, desk: Desk) -> None:
    desk.send("Hello!").answered()
    other = open_desk(path="").open(f"#/c/{desk.conversation_id}")
    expect(other.mine).to_have_count(1)

    desk.send("And again!").answered()

    expect(other.mine).to_have_count(2)
    assert_whole(served, other, "Hello!", "And again!")


def test_a_conversation_that_is_deleted_elsewhere_is_said_to_be_gone(desk: Desk) -> None:
    desk.send("Hello!").answered()
    other = desk.second_window()
    expect(other.replies.last).to_contain_text("word63")
    desk.button("Delete conversation").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Delete conversation").click()

    expect(other.page.get_by_text("This conversation is not here")).to_be_visible()


def test_a_draft_outlives_a_reload(desk: Desk) -> None:
    desk.composer.fill("Not yet said")
    desk.page.reload()

    expect(desk.composer).to_have_value("Not yet said")
