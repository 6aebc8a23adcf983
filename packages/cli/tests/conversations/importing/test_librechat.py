"""Conversations of LibreChat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from parts.imports import EXPORTS, imports_of, imports_of_json, said, shown

NO_PARENT = "00000000-0000-0000-0000-000000000000"


def a_message(key: str, text: str, *, parent: str = NO_PARENT, user: bool = False, **fields: Any) -> dict[str, Any]:
    """Make a message."""
    about = {"messageId": key, "parentMessageId": parent, "sender": "User" if user else "GPT-4"}
    return about | {"text": text, "isCreatedByUser": user, "createdAt": "2024-05-01T16:35:11.530Z"} | fields


def a_conversation(*messages: Any, field: str = "messages", **fields: Any) -> dict[str, Any]:
    """Make a conversation."""
    return (
        {"conversationId": "c-1", "endpoint": "openAI", "title": "T", "options": {}} | fields | {field: list(messages)}
    )


def test_a_flat_export_is_read() -> None:
    found = imports_of(EXPORTS / "librechat.json")

    assert said(found.conversations[0]) == [("user", "hi"), ("assistant", "yo")]
    assert (found.lost, found.left_out) == ([], {})


@pytest.mark.parametrize("field", ["messages", "messagesTree"])
def test_a_recursive_export_is_a_tree_whose_newest_branch_is_shown(tmp_path: Path, field: str) -> None:
    later: dict[str, Any] = {"createdAt": "2024-05-01T16:36:00Z"}
    replies = [a_message("m2", "a", parent="m1"), a_message("m3", "b", parent="m1", **later)]
    tree = a_conversation(a_message("m1", "hi", user=True, children=replies), field=field, recursive=True)
    (conversation,) = imports_of_json(tmp_path, tree).conversations

    assert said(conversation) == [("user", "hi"), ("assistant", "a"), ("assistant", "b")]
    assert shown(conversation) == [("user", "hi"), ("assistant", "b")]


def test_a_recursive_export_of_a_long_conversation_is_read(tmp_path: Path) -> None:
    begin = '{"messageId": "m%d", "text": "t", "isCreatedByUser": true, "children": ['
    text = "".join(begin % number for number in range(2000)) + "]}" * 2000
    (tmp_path / "long.json").write_text(f'{{"conversationId": "c", "recursive": true, "messages": [{text}]}}')
    found = imports_of(tmp_path / "long.json")

    assert len(found.conversations[0].messages) == 2000


def test_branches_of_a_flat_export_stay_branches(tmp_path: Path) -> None:
    first, edited = a_message("m1", "hi", user=True), a_message("m2", "hello", user=True)
    found = imports_of_json(tmp_path, a_conversation(first, a_message("m3", "yo", parent="m1"), edited))

    assert shown(found.conversations[0]) == [("user", "hello")]
    assert len(found.conversations[0].messages) == 3


def test_parts_are_read_as_text_reasoning_and_attachments(tmp_path: Path) -> None:
    parts = [{"type": "think", "think": "hm"}, {"type": "text", "text": {"value": "yo"}}, {"type": "tool_call"}]
    asked = a_message("m1", "", user=True, files=[{"filename": "me.png", "type": "image/png"}])
    reply = a_message("m2", "", parent="m1", content=parts, model="gpt-4o", finish_reason="length")
    found = imports_of_json(tmp_path, a_conversation(asked, reply))
    _, stored = found.conversations[0].messages

    assert said(found.conversations[0]) == [("user", "[image: me.png]"), ("assistant", "yo")]
    assert (stored.model, stored.finish_reason, (stored.model_extra or {})["reasoning"]) == ("gpt-4o", "length", "hm")
    assert (found.lost, found.left_out["tool call or its result"]) == ([], 1)


def test_what_is_unfinished_is_marked_and_errors_are_counted(tmp_path: Path) -> None:
    cut = a_message("m2", "on", parent="m1", unfinished=True)
    failed = a_message("m3", "Something went wrong", parent="m1", error=True)
    found = imports_of_json(tmp_path, a_conversation(a_message("m1", "hi", user=True), cut, failed))

    assert [message.finish_reason for message in found.conversations[0].messages] == [None, "incomplete"]
    assert (found.lost, found.left_out) == ([], {"error in place of a reply": 1})


def test_without_parents_a_message_follows_the_one_before_it(tmp_path: Path) -> None:
    messages = [a_message("m1", "hi", user=True), a_message("m2", "yo"), a_message("m3", "so", user=True)]
    for message in messages:
        del message["parentMessageId"]
    found = imports_of_json(tmp_path, a_conversation(*messages, branches=False))

    assert [text for _, text in shown(found.conversations[0])] == ["hi", "yo", "so"]
