"""Chats of Open WebUI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from parts.imports import EXPORTS, imports_of, imports_of_json, said, shown

ASKED = {"id": "1", "parentId": None, "childrenIds": ["2"], "role": "user", "content": "hi", "timestamp": 1700000000}


def a_reply(text: Any, key: str = "2", **fields: Any) -> dict[str, Any]:
    """Make a reply to what was asked."""
    about = {"id": key, "parentId": "1", "childrenIds": [], "role": "assistant", "timestamp": 1700000001}
    return about | {"content": text, "model": "llama3"} | fields


def a_chat(*replies: dict[str, Any], current: str = "2", **fields: Any) -> dict[str, Any]:
    """Make a chat as it is exported."""
    messages = {message["id"]: message for message in (ASKED, *replies)}
    chat = {"title": "T", "models": ["llama3"], "history": {"messages": messages, "currentId": current}, "messages": []}
    return {"id": "x", "user_id": "u", "title": "T", "chat": chat, "created_at": 1700000000} | fields


def test_an_array_of_chats_is_read() -> None:
    found = imports_of(EXPORTS / "openwebui.json")

    assert said(found.conversations[0]) == [("user", "hi"), ("assistant", "yo")]
    assert (found.lost, found.left_out) == ([], {})


@pytest.mark.parametrize("wrap", [lambda chat: chat, lambda chat: [chat], lambda chat: {"chats": [chat]}])
def test_one_chat_is_read_however_it_is_wrapped(tmp_path: Path, wrap: Any) -> None:
    (conversation,) = imports_of_json(tmp_path, wrap(a_chat(a_reply("yo")))).conversations
    extra = conversation.model_extra or {}

    assert (extra["title"], extra["imported_from"]) == ("T", {"program": "openwebui", "id": "x"})
    assert conversation.messages[1].model == "llama3"


def test_chats_of_early_versions_have_no_wrapper(tmp_path: Path) -> None:
    found = imports_of_json(tmp_path, [a_chat(a_reply("yo"))["chat"]])

    assert said(found.conversations[0]) == [("user", "hi"), ("assistant", "yo")]


@pytest.mark.parametrize("history", [None, {}, {"messages": {}, "currentId": None}])
def test_chats_with_a_list_of_messages_alone_are_read(tmp_path: Path, history: Any) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    found = imports_of_json(tmp_path, [{"id": "x", "chat": {"messages": messages, "history": history}}])

    assert said(found.conversations[0]) == [("user", "hi"), ("assistant", "yo")]


def test_replies_of_several_models_are_branches_and_the_current_one_is_shown(tmp_path: Path) -> None:
    chat = a_chat(a_reply("a", "2", model="m/1"), a_reply("b", "3", model="m/2"), current="2")
    (conversation,) = imports_of_json(tmp_path, [chat]).conversations

    assert {(message.content, message.model) for message in conversation.messages[1:]} == {("a", "m/1"), ("b", "m/2")}
    assert shown(conversation) == [("user", "hi"), ("assistant", "a")]


def test_reasoning_is_taken_out_of_the_text(tmp_path: Path) -> None:
    block = '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n&gt; hm\n</details>\n'
    (conversation,) = imports_of_json(tmp_path, [a_chat(a_reply(block + "yo"))]).conversations
    reply = conversation.messages[1]

    assert (reply.content, (reply.model_extra or {})["reasoning"]) == ("yo", "hm")


def test_output_of_newer_versions_is_read(tmp_path: Path) -> None:
    output = [
        {"type": "reasoning", "summary": None, "content": [{"type": "output_text", "text": "hm"}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "output": [{"type": "input_text", "text": "3"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yo"}]},
    ]
    found = imports_of_json(tmp_path, [a_chat(a_reply("<details>...</details>yo", output=output))])
    reply = found.conversations[0].messages[1]

    assert (reply.content, (reply.model_extra or {})["reasoning"]) == ("yo", "hm")
    assert found.left_out == {"tool call or its result": 2}


def test_files_are_named_and_errors_are_counted(tmp_path: Path) -> None:
    failed = a_reply("", error={"content": "no"})
    files = [{"type": "image", "url": "data:image/png;base64,AA"}, {"type": "file", "name": "a.pdf"}]
    asked = {**ASKED, "id": "3", "parentId": "2", "content": "", "files": files}
    found = imports_of_json(tmp_path, [a_chat(failed, asked, current="3")])

    assert said(found.conversations[0]) == [("user", "hi"), ("user", "[image]\n[file: a.pdf]")]
    assert found.lost == []
    assert found.left_out["error in place of a reply"] == 1
