"""Chats of Character.AI, by CAI Tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from parts.imports import EXPORTS, imports_of, imports_of_json, said, shown


def a_message(text: str, *, user: bool = False, **fields: Any) -> dict[str, Any]:
    """Make a message of an older chat."""
    return {
        "src": {"is_human": user, "name": "Ann" if user else "Mika"},
        "text": text,
        "is_alternative": False,
    } | fields


def a_turn(*texts: str, user: bool = False, chosen: int = 0, number: int = 1) -> dict[str, Any]:
    """Make a turn of a newer chat, with its candidates."""
    candidates = [{"candidate_id": str(position), "raw_content": text} for position, text in enumerate(texts)]
    about = {"turn_key": {"turn_id": f"t{number}"}, "author": {"is_human": user, "name": "x"}}
    return about | {
        "candidates": candidates,
        "primary_candidate_id": str(chosen),
        "create_time": "2024-01-01T00:00:00Z",
    }


def test_a_dump_is_read() -> None:
    found = imports_of(EXPORTS / "cai-tools.json")

    assert said(found.conversations[0]) == [("assistant", "Hi"), ("user", "yo")]
    assert (found.lost, found.left_out) == ([], {})


def test_every_history_of_a_dump_is_a_conversation(tmp_path: Path) -> None:
    histories = [{"external_id": str(number), "msgs": [a_message("Hi")]} for number in range(3)]
    found = imports_of_json(tmp_path, {"info": {}, "histories": {"histories": [*histories, {"msgs": []}]}})

    assert len({conversation.id for conversation in found.conversations}) == 3
    assert (found.lost, found.left_out) == ([], {"conversation without messages": 1})


def test_alternatives_are_branches_beside_the_reply_that_was_chosen(tmp_path: Path) -> None:
    messages = [
        a_message("Hi"), a_message("yo", user=True), a_message("not me", is_alternative=True), a_message("me"),
        a_message("nor me", is_alternative=True),
    ]  # fmt: skip
    (conversation,) = imports_of_json(tmp_path, {"histories": [{"external_id": "e", "msgs": messages}]}).conversations

    assert len(conversation.messages) == 5
    assert [text for _, text in shown(conversation)] == ["Hi", "yo", "me"]


@pytest.mark.parametrize(
    "wrap", [lambda chat: chat, lambda chat: {"chats": [chat]}, lambda chat: {"histories": [chat]}]
)
def test_turns_of_newer_chats_are_read_with_their_candidates(tmp_path: Path, wrap: Any) -> None:
    turns = [a_turn("Hi", number=1), a_turn("yo", user=True, number=2), a_turn("no", "yes", chosen=1, number=3)]
    (conversation,) = imports_of_json(tmp_path, wrap({"chat_id": "c", "turns": turns})).conversations

    assert {text for _, text in said(conversation)} == {"Hi", "yo", "no", "yes"}
    assert shown(conversation) == [("assistant", "Hi"), ("user", "yo"), ("assistant", "yes")]


def test_a_chat_for_oobabooga_is_read(tmp_path: Path) -> None:
    pairs = [["<|BEGIN-VISIBLE-CHAT|>", "Hi"], ["yo", "so"]]
    found = imports_of_json(tmp_path, {"internal": pairs, "visible": pairs, "data": pairs, "data_visible": pairs})

    assert said(found.conversations[0]) == [("assistant", "Hi"), ("user", "yo"), ("assistant", "so")]
