"""Chats of RisuAI."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from parts.imports import EXPORTS, imports_of, imports_of_json, said, shown


def a_chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    """Make a chat."""
    return {"message": list(messages), "note": "", "name": "Chat 1", "localLore": []} | fields


def a_message(text: str, *, user: bool = False, **fields: Any) -> dict[str, Any]:
    """Make a message."""
    return {"role": "user" if user else "char", "data": text} | fields


def test_one_chat_is_read() -> None:
    found = imports_of(EXPORTS / "risu.json")

    assert said(found.conversations[0]) == [("assistant", "Hi"), ("user", "yo")]
    assert (found.lost, found.left_out) == ([], {})


def test_all_chats_of_a_character_are_read(tmp_path: Path) -> None:
    chats = [a_chat(a_message("Hi")), a_chat(a_message("Hi"), name="Chat 2"), a_chat(id="empty")]
    found = imports_of_json(tmp_path, {"type": "risuAllChats", "ver": 2, "data": chats, "folders": []})

    assert [(one.model_extra or {})["title"] for one in found.conversations] == ["Chat 1", "Chat 2"]
    assert (found.lost, found.left_out) == ([], {"conversation without messages": 1})


def test_chats_in_a_package_are_read(tmp_path: Path) -> None:
    chats = {"type": "risuAllChats", "ver": 2, "data": [a_chat(a_message("Hi"))]}
    with zipfile.ZipFile(tmp_path / "Mika.zip", "w") as archive:
        archive.writestr("manifest.json", '{"type": "risuCharacterPackage"}')
        archive.writestr("chats/chats.json", json.dumps(chats))
        archive.writestr("character/Mika.charx", b"x")
    found = imports_of(tmp_path / "Mika.zip")

    assert (len(found.conversations), found.lost) == (1, [])


def test_time_model_name_and_thoughts_are_kept(tmp_path: Path) -> None:
    about: dict[str, Any] = {"time": 1700000000000, "generationInfo": {"model": "m/1"}, "name": "Mika", "chatId": "k"}
    found = imports_of_json(
        tmp_path, {"type": "risuChat", "data": a_chat(a_message("<Thoughts>hm</Thoughts>Hi", **about))}
    )
    (message,) = found.conversations[0].messages
    extra = message.model_extra or {}

    assert (message.content, message.model, message.timestamp.year) == ("Hi", "m/1", 2023)
    assert (extra["reasoning"], extra["speaker"]) == ("hm", "Mika")


def test_what_is_disabled_is_kept_outside_of_the_active_branch(tmp_path: Path) -> None:
    messages = [a_message("old"), a_message("cut", disabled="allBefore"), a_message("a", user=True)]
    found = imports_of_json(
        tmp_path, a_chat(*messages, a_message("note", isComment=True), a_message("no", disabled=True), a_message("b"))
    )
    (conversation,) = found.conversations

    assert len(conversation.messages) == 6
    assert shown(conversation) == [("user", "a"), ("assistant", "b")]


def test_a_chat_in_cold_storage_is_told_as_lost(tmp_path: Path) -> None:
    found = imports_of_json(tmp_path, a_chat(a_message("\uef01COLDSTORAGE\uef01abc")))

    assert found.lost == ["chat.json: chat in RisuAI's cold storage: open it there, and export it again"]
