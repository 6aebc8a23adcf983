"""Conversations of Claude."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from parts.imports import EXPORTS, imports_of, imports_of_json, said, shown


def a_message(key: str, text: str, *, user: bool = False, **fields: Any) -> dict[str, Any]:
    """Make a message."""
    about = {"uuid": key, "sender": "human" if user else "assistant", "created_at": "2024-01-01T00:00:00.123456Z"}
    return about | {"text": text, "attachments": [], "files": []} | fields


def a_conversation(*messages: Any, **fields: Any) -> dict[str, Any]:
    """Make a conversation."""
    about = {"uuid": "c-1", "name": "T", "created_at": "2024-01-01T00:00:00Z", "account": {"uuid": "u"}}
    return about | {"chat_messages": list(messages)} | fields


def test_an_export_is_read() -> None:
    found = imports_of(EXPORTS / "claude.json")

    assert said(found.conversations[0]) == [("user", "hi")]
    assert (found.lost, found.left_out) == ([], {})


def test_blocks_are_read_as_text_and_reasoning(tmp_path: Path) -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "yo"},
        {"type": "tool_use", "name": "artifacts", "input": {}},
        {"type": "tool_result", "content": []},
        {"type": "text", "text": "so"},
    ]
    found = imports_of_json(tmp_path, [a_conversation(a_message("a", "not supported on your device", content=blocks))])
    (reply,) = found.conversations[0].messages

    assert (reply.content, (reply.model_extra or {})["reasoning"]) == ("yo\n\nso", "hm")
    assert (found.lost, found.left_out) == ([], {"tool call or its result": 2})


def test_messages_of_older_exports_have_a_text_alone(tmp_path: Path) -> None:
    found = imports_of_json(
        tmp_path, [a_conversation(a_message("a", "hi", user=True), a_message("b", "yo", content=[]))]
    )

    assert said(found.conversations[0]) == [("user", "hi"), ("assistant", "yo")]


def test_the_text_of_what_was_attached_or_pasted_is_kept(tmp_path: Path) -> None:
    pasted = {"file_name": "paste.txt", "file_size": 9, "file_type": "txt", "extracted_content": "dear diary"}
    found = imports_of_json(tmp_path, [a_conversation(a_message("a", "", user=True, attachments=[pasted]))])

    assert said(found.conversations[0]) == [("user", "[file: paste.txt]\ndear diary")]
    assert (found.lost, found.left_out) == ([], {})


def test_files_are_named(tmp_path: Path) -> None:
    message = a_message("a", "look", user=True, files=[{"file_kind": "image", "file_name": "me.png"}])
    found = imports_of_json(tmp_path, [a_conversation(message)])
    (stored,) = found.conversations[0].messages

    assert (stored.content, (stored.model_extra or {})["attachments"]) == (
        "look",
        [{"type": "image", "name": "me.png"}],
    )
    assert found.left_out == {"attached image, of which only the name is in the export": 1}


def test_parents_make_branches_of_which_the_newest_is_shown(tmp_path: Path) -> None:
    root = {"parent_message_uuid": "00000000-0000-4000-8000-000000000000"}
    messages = [a_message("a", "hi", user=True, **root), a_message("b", "yo", parent_message_uuid="a")]
    found = imports_of_json(tmp_path, [a_conversation(*messages, a_message("c", "hello", user=True, **root))])

    assert len(found.conversations[0].messages) == 3
    assert shown(found.conversations[0]) == [("user", "hello")]


def test_the_whole_archive_is_read_and_what_stands_beside_is_no_loss(tmp_path: Path) -> None:
    conversations = [a_conversation(a_message("a", "hi")), a_conversation(uuid="c-2")]
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("users.json", '[{"uuid": "u", "full_name": "Ann"}]')
        archive.writestr("projects.json", "[]")
        archive.writestr("something_new.json", '[{"a": 1}, {"b": 2}]')
        archive.writestr("conversations.json", json.dumps(conversations))
    found = imports_of(tmp_path / "data.zip")

    assert (len(found.conversations), found.lost) == (1, [])
    assert found.left_out == {
        "file without a conversation in a form that is known": 2,
        "conversation without messages": 1,
    }
