"""Talking: every flow of one window."""

import base64
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

from playwright.sync_api import expect

from tests.browser.conftest import HELD, Open
from tests.browser.desk import Desk
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def test_a_message_is_answered_word_by_word(open_desk: Open, mock_openrouter: Mock) -> None:
    desk = open_desk(model=HELD).open()
    desk.send("Hello!").begun()
    expect(desk.replies.last).to_contain_text("word6 ")
    expect(desk.replies.last).not_to_contain_text("word9")
    mock_openrouter.release()
    desk.answered()

    expect(desk.mine).to_have_count(1)
    expect(desk.replies.last).to_contain_text("word63")


def test_a_character_begins_and_her_greetings_are_paged_through(desk: Desk) -> None:
    desk.button("Let Lumi begin").click()
    first = desk.replies.first
    expect(first).to_contain_text("1 / 3")
    greeting = first.locator(".text").text_content()
    assert greeting

    first.get_by_role("button", name="Next version").click()

    expect(first).to_contain_text("2 / 3")
    expect(first.locator(".text")).not_to_have_text(greeting)


def test_a_reply_is_stopped_and_what_was_said_stays(open_desk: Open, mock_openrouter: Mock) -> None:
    desk = open_desk(model=HELD).open()
    desk.send("Hello!").begun()
    desk.button("Stop").click()
    desk.answered()

    expect(desk.replies.last).to_contain_text("Stopped")
    expect(desk.replies.last).to_contain_text("word0")
    expect(desk.replies.last).not_to_contain_text("word63")


def test_another_reply_stands_beside_the_first(desk: Desk) -> None:
    desk.send("Hello!").answered()
    desk.of_last_reply("Another reply").click()
    expect(desk.replies.last).to_contain_text("2 / 2")
    desk.answered()

    desk.of_last_reply("Version before").click()

    expect(desk.replies.last).to_contain_text("1 / 2")
    desk.page.reload()
    expect(desk.replies.last).to_contain_text("1 / 2")


def test_an_edit_begins_a_branch_and_the_old_one_stays(desk: Desk) -> None:
    desk.send("Hello!").answered()
    desk.mine.last.hover()
    desk.mine.last.get_by_role("button", name="Edit").click()
    desk.page.get_by_role("textbox", name="Edit").fill("Good morning!")
    desk.page.locator("form.edit").get_by_role("button", name="Send").click()
    desk.answered()

    expect(desk.mine.last).to_contain_text("Good morning!")
    expect(desk.mine.last).to_contain_text("2 / 2")
    desk.mine.last.get_by_role("button", name="Version before").click()
    expect(desk.mine.last).to_contain_text("Hello!")


def test_a_reply_is_continued(desk: Desk) -> None:
    desk.send("Hello!").answered()
    desk.of_last_reply("Go on").click()
    expect(desk.replies.last).to_contain_text("2 / 2")
    desk.answered()

    once = "word5 ((?!word5 ).)*"
    expect(desk.replies.last.locator(".text")).to_have_text(re.compile(f"^((?!word5 ).)*{once}{once}$", re.DOTALL))


def test_a_message_is_deleted_and_its_place_stays(desk: Desk) -> None:
    desk.send("My secret.").answered()
    desk.mine.last.hover()
    desk.mine.last.get_by_role("button", name="Delete message").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Delete message").click()

    expect(desk.mine.last).to_contain_text("Deleted")
    expect(desk.page.get_by_text("My secret.")).to_have_count(0)


def test_a_conversation_is_deleted(desk: Desk, served: Server) -> None:
    desk.send("Hello!").answered()
    document = served.document(desk.conversation_id)
    desk.button("Delete conversation").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Delete conversation").click()

    expect(desk.button("Let Lumi begin")).to_be_visible()
    assert not document.exists()


def test_a_conversation_is_found_by_what_was_said(desk: Desk) -> None:
    desk.send("The umbrella is turquoise.").answered()
    desk.page.get_by_role("searchbox").fill("turquoise")
    hit = desk.page.get_by_role("navigation").get_by_role("link").filter(has_text="umbrella is turquoise")

    expect(hit.locator("mark")).to_have_text("turquoise")
    hit.click()
    expect(desk.mine.last).to_contain_text("turquoise")


def test_messages_wait_for_the_reply_before(open_desk: Open, mock_openrouter: Mock) -> None:
    desk = open_desk(model=HELD).open()
    desk.send("One.").begun()
    desk.send("Two.")
    expect(desk.page.get_by_text("waits for the reply before")).to_be_visible()
    mock_openrouter.release()
    desk.answered()

    expect(desk.mine.locator(".text")).to_have_text(["One.", "Two."])


def test_a_reply_that_failed_is_tried_again(open_desk: Open, mock_openrouter: Mock) -> None:
    desk = open_desk().open()
    desk.button("Settings").click()
    desk.page.get_by_label("Model").fill("mock/n8-x400-k1")
    desk.button("Close").first.click()
    desk.send("Hello!").answered()
    expect(desk.replies.last).to_contain_text("No reply")

    desk.button("Try again").click()
    desk.answered()

    expect(desk.replies.last).to_contain_text("word5")


def test_a_reply_that_was_filtered_or_has_no_text_says_so(desk: Desk, served: Server) -> None:
    at, model = "2026-11-30T12:00:00Z", {"model": "some/model", "turn_id": str(uuid4())}
    said: list[tuple[str, str | None, dict[str, Any]]]
    said = [("user", "Hi", {}), ("assistant", "I", {"finish_reason": "content_filter", **model})]
    said += [("user", "Well?", {}), ("assistant", None, {"finish_reason": "tool_calls", **model})]
    messages = [
        {"id": str(uuid4()), "role": role, "content": text, "timestamp": at, **more} for role, text, more in said
    ]
    document = {"id": str(uuid4()), "created_at": at, "messages": messages, "updated_at": at}
    (served.data / "conversations" / f"{document['id']}.json").write_text(json.dumps(document))
    desk.open(f"#/c/{document['id']}")

    expect(desk.replies.first).to_contain_text("The provider's content filter ended the reply here.")
    expect(desk.replies.last).to_contain_text("The reply has no text.")


def test_what_the_server_refuses_can_be_taken_back(desk: Desk) -> None:
    desk.button("Settings").click()
    desk.page.get_by_label("Model").fill("x" * 300)
    desk.button("Close").first.click()
    desk.send("Hello!")
    expect(desk.page.get_by_role("alert")).to_contain_text("Not sent")

    desk.button("Take it back").click()

    expect(desk.composer).to_have_value("Hello!")
    expect(desk.mine).to_have_count(0)


def test_a_picture_is_sent_to_a_model_that_takes_some_and_to_no_other(
    desk: Desk, mock_openrouter: Mock, tmp_path: Path
) -> None:
    expect(desk.button("Send")).to_be_visible()
    expect(desk.button("Add a picture")).to_have_count(0)
    desk.button("Settings").click()
    desk.page.get_by_label("Model").fill("mock/reason")
    desk.button("Close").first.click()
    expect(desk.button("Add a picture")).to_be_visible()
    picture = tmp_path / "dot.png"
    picture.write_bytes(DOT)

    desk.page.locator(".composer input[type=file]").set_input_files(picture)
    expect(desk.page.locator(".composer .pictures img")).to_be_visible()
    desk.send("What is this?").answered()

    expect(desk.mine.last.locator("img.picture")).to_be_visible()
    sent = mock_openrouter.bodies()[-1]["messages"][-1]["content"]
    assert [part["type"] for part in sent] == ["text", "image_url"]
