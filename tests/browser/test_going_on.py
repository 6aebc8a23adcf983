"""Nothing is lost or doubled, whatever happens to the window, the network or the server."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Route, expect

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


HOLD_READS = """
    window.reads = [];
    const ask = window.fetch;
    window.fetch = async (...asked) => {
        const answer = await ask(...asked);
        if (/\\/conversation\\/.*limit=200/.test(asked[0])) await new Promise((goOn) => reads.push(goOn));
        return answer;
    };
"""
"""A script by which what the page reads of a conversation stays on the way until ``reads`` are told to go on."""


def stored(served: Server, desk: Desk) -> list[dict[str, Any]]:
    """Read what was said from the file: without the greetings."""
    document = json.loads(served.document(desk.conversation_id).read_text())
    return [message for message in document["messages"] if message.get("origin") != "greeting"]


def assert_whole(served: Server, desk: Desk, *said: str) -> None:
    """Check that what is shown is what is stored: each message once, and after each its reply, which is complete."""
    expect(desk.mine).to_have_count(len(said))
    desk.answered()
    messages = stored(served, desk)
    assert [one["content"] for one in messages if one["role"] == "user"] == list(said)
    replies = [one for one in messages if one["role"] == "assistant"]
    assert [one["finish_reason"] for one in replies] == ["stop"] * len(said)
    assert replies[-1]["content"].rstrip().endswith("word63")
    greeting = re.compile(r"\w")
    expect(desk.texts).to_have_text([greeting, *(one["content"] for one in messages)], use_inner_text=True)


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
    never_arrived: list[Route] = []
    desk.page.route("**/chat/stream", lambda route: never_arrived.append(route), times=1)  # noqa: PLW0108  it is marked
    with desk.page.expect_request("**/chat/stream"):
        desk.send("Hello!")
    expect(desk.page.get_by_text("Sending…")).to_be_visible()
    desk.page.reload()

    assert_whole(served, desk, "Hello!")
    never_arrived[0].abort()


def test_a_reply_that_has_ended_stays_where_what_is_read_is_older(open_desk: Open, mock_openrouter: Mock) -> None:
    desk = open_desk(model=HELD)
    desk.context.add_init_script(HOLD_READS)
    desk.open().send("Hello!").begun()
    desk.wait_until("reads.length === 1")  # for the greeting: so without the reply
    mock_openrouter.release()
    expect(desk.page.locator("article.reply[data-state=ended]")).to_be_visible()
    desk.page.evaluate("reads[0]()")
    desk.wait_until("reads.length === 2")

    expect(desk.messages.last).to_contain_text("word63")
    desk.page.evaluate("reads[1]()")
    desk.answered()
    expect(desk.messages.last).to_contain_text("word63")


def test_what_was_begun_and_cannot_be_followed_is_shown_when_it_is_stored(
    open_desk: Open, served: Server, cable: Cable, mock_openrouter: Mock
) -> None:
    desk = open_desk(cable.url, model=HELD).open()
    gone = {"error": {"message": "there is no such turn", "code": "turn_not_found"}}
    desk.page.route("**/turns/*/stream", lambda route: route.fulfill(status=404, json=gone))
    desk.send("Hello!").begun()
    cable.pull_out()
    cable.plug_in()
    expect(desk.page.locator("article[data-state]")).to_have_count(0)
    expect(desk.mine).to_have_count(1)
    mock_openrouter.release()

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
    expect(other.mine).to_have_count(2)
    mock_openrouter.release()

    assert_whole(served, other, "Hello!", "And again!")
    assert_whole(served, desk, "Hello!", "And again!")


def test_a_window_that_is_opened_in_the_middle_of_a_reply_goes_on_with_it(
    open_desk: Open, served: Server, mock_openrouter: Mock
) -> None:
    desk = open_desk(model=HELD).open()
    desk.send("Hello!").begun()
    other = desk.second_window().begun()
    mock_openrouter.release()

    assert_whole(served, other, "Hello!")
    assert_whole(served, desk, "Hello!")


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
