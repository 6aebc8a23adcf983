"""Chats of Agnai."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parts.imports import EXPORTS, imports_of, imports_of_json, said, shown


def a_message(key: str, text: str, *, user: bool = False, **fields: Any) -> dict[str, Any]:
    """Make a message."""
    author = {"userId": "u", "handle": "Ann"} if user else {"characterId": "imported", "name": "Mika"}
    return {"_id": key, "createdAt": "2024-01-01T00:00:00.000Z", "msg": text, "state": "neutral"} | author | fields


def a_chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    """Make a chat."""
    return {"name": "Exported", "greeting": "", "sampleChat": "", "scenario": "", "messages": list(messages)} | fields


def test_an_export_is_read_with_who_spoke() -> None:
    found = imports_of(EXPORTS / "agnai.json")

    assert said(found.conversations[0]) == [("assistant", "Hi"), ("user", "yo")]
    assert (found.lost, found.left_out) == ([], {})


def test_speakers_are_kept(tmp_path: Path) -> None:
    found = imports_of_json(tmp_path, a_chat(a_message("1", "Hi"), a_message("2", "yo", user=True)))

    assert [(one.model_extra or {})["speaker"] for one in found.conversations[0].messages] == ["Mika", "Ann"]


def test_branches_are_kept_and_the_leaf_is_shown(tmp_path: Path) -> None:
    replies = [a_message("b", "one", parent="a"), a_message("c", "two", parent="a")]
    found = imports_of_json(tmp_path, a_chat(a_message("a", "q", user=True), *replies, treeLeafId="b-and-more"))

    assert len(found.conversations[0].messages) == 3
    assert shown(found.conversations[0]) == [("user", "q"), ("assistant", "one")]


def test_a_parent_that_is_no_id_is_the_message_before(tmp_path: Path) -> None:
    messages = [a_message("a", "Hi"), a_message("b", "yo", user=True, parent="yo"), a_message("c", "so", parent="so")]
    found = imports_of_json(tmp_path, a_chat(*messages))

    assert [text for _, text in shown(found.conversations[0])] == ["Hi", "yo", "so"]


def test_what_is_out_of_character_is_kept_outside_of_the_active_branch(tmp_path: Path) -> None:
    messages = [a_message("a", "Hi"), a_message("b", "(brb)", user=True, ooc=True), a_message("c", "yo", user=True)]
    (conversation,) = imports_of_json(tmp_path, a_chat(*messages)).conversations

    assert [text for _, text in said(conversation)] == ["Hi", "(brb)", "yo"]
    assert [text for _, text in shown(conversation)] == ["Hi", "yo"]


def test_retries_are_branches(tmp_path: Path) -> None:
    found = imports_of_json(tmp_path, a_chat(a_message("a", "Hi", retries=["Hello", "Hi"])))

    assert [text for _, text in said(found.conversations[0])] == ["Hello", "Hi"]
    assert shown(found.conversations[0]) == [("assistant", "Hi")]


def test_two_chats_with_the_same_greeting_are_two(tmp_path: Path) -> None:
    first, second = (
        imports_of_json(tmp_path, a_chat(a_message("1", "Hi")), name).conversations[0].id
        for name in ("a.json", "b.json")
    )

    assert first != second


def test_ids_that_are_there_twice_cost_no_message(tmp_path: Path) -> None:
    found = imports_of_json(
        tmp_path, a_chat(a_message("a", "Hi"), a_message("a", "yo", user=True), a_message("a", "so"))
    )

    assert [text for _, text in shown(found.conversations[0])] == ["Hi", "yo", "so"]
