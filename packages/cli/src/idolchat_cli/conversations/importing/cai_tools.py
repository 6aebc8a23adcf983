"""Chats of Character.AI, as the extension CAI Tools saves them.

The dump of a character's history: {"info": {...}, "histories": {"histories": [{"external_id", "created", "msgs":
[{"id", "src": {"is_human", "name"}, "text", "is_alternative", "created"}]}]}}. Newer chats of the site have "turns":
[{"turn_key": {"turn_id"}, "author": {"is_human", "name"}, "create_time", "primary_candidate_id", "candidates":
[{"candidate_id", "raw_content"}]}]. A chat for Oobabooga: {"data_visible": [[user's, character's], ...], ...}. Its
chats for Tavern are those of SillyTavern.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from idolchat_cli.conversations.importing.candidate import EMPTY, Findings, Skipped
from idolchat_cli.conversations.importing.exported import Exported
from idolchat_cli.conversations.importing.parts import key_in, list_in, mapping_in, mappings_in, string_in, text_of
from idolchat_cli.conversations.importing.times import read_time

__all__ = ["is_cai_tools", "read_cai_tools"]

_LISTS = ("msgs", "turns", "history", "data_visible", "visible")


def is_cai_tools(value: Mapping[str, Any]) -> bool:
    """Return whether an object is such a file."""
    if isinstance(value.get("histories"), list | dict):
        return True
    return any(_is_pairs(value.get(name)) for name in ("data_visible", "visible")) or any(
        any(mark in one for one in mappings_in(value, name))
        for name, mark in (("msgs", "src"), ("turns", "candidates"), ("chats", "turns"))
    )


def read_cai_tools(value: Mapping[str, Any], source: str, name: str) -> Findings:
    """Read each conversation."""
    chats = _chats(value)
    if not chats:
        yield Skipped(source, EMPTY, is_lost=False)
    for number, chat in enumerate(chats, 1):
        place = f"{source}, conversation {number}" if len(chats) > 1 else source
        yield from _read_chat(chat, place, f"{name} {number}" if len(chats) > 1 else name)


def _chats(value: Any) -> list[Any]:
    """Find the conversations, which stand in lists within lists."""
    while isinstance(value, Mapping):
        inner = next((value[field] for field in ("histories", "chats") if field in value), None)
        if inner is None:
            return [value]
        value = inner
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _read_chat(chat: Any, source: str, name: str) -> Findings:
    if not isinstance(chat, Mapping):
        yield Skipped(source, "chat that cannot be read")
        return
    messages = next(filter(None, (list_in(chat, field) for field in _LISTS)), [])
    given = chat.get("external_id") or chat.get("chat_id")
    result = Exported(
        "character.ai",
        str(given or name),
        source,
        created_at=read_time(chat.get("created") or chat.get("create_time")),
        updated_at=read_time(chat.get("last_interaction")),
        about={"id": given} if isinstance(given, str) else {},
    )
    reading = _Reading(result)
    for number, message in enumerate(messages, 1):
        reading.add(message, number)
    yield from result.findings()


class _Reading:
    """Adds messages of each kind; alternatives of a reply, of which one was chosen, follow what it follows."""

    def __init__(self, result: Exported) -> None:
        self._result = result
        self._before: str | None = None
        self._asked: str | None = None

    def add(self, message: Any, number: int) -> None:
        if isinstance(message, list):
            self._add_pair(message, number)
        elif isinstance(message, Mapping) and isinstance(message.get("candidates"), list):
            self._add_turn(message, number)
        elif isinstance(message, Mapping) and text_of(message) is not None:
            self._add_message(message, number)
        else:
            self._result.skip("message that cannot be read", f"message {number}", is_lost=True)

    def _add_message(self, message: Mapping[str, Any], number: int) -> None:
        source = mapping_in(message, "src")
        is_user = bool(source.get("is_human", message.get("src__is_human", message.get("isHuman"))))
        is_alternative = bool(message.get("is_alternative")) and not is_user
        key = self._result.add(
            key_in(message, "uuid", "id") or f"message {number}",
            self._asked if is_alternative else self._before,
            "user" if is_user else "assistant",
            text_of(message.get("text")) or text_of(message) or "",
            time=read_time(message.get("created")),
            speaker=string_in(source, "name") or string_in(message, "name"),
        )
        if not is_alternative:
            self._asked = key if is_user else self._before
            self._before = self._result.active = key

    def _add_turn(self, turn: Mapping[str, Any], number: int) -> None:
        author = mapping_in(turn, "author")
        is_user = bool(author.get("is_human"))
        name = key_in(mapping_in(turn, "turn_key"), "turn_id") or key_in(turn, "turn_id") or f"message {number}"
        candidates = mappings_in(turn, "candidates")
        chosen = next((one for one in candidates if one.get("candidate_id") == turn.get("primary_candidate_id")), None)
        chosen = chosen if chosen is not None else next(iter(candidates), None)
        if chosen is None:
            self._result.skip("message that cannot be read", name, is_lost=is_user)
            return
        before = self._before
        for candidate in [*(one for one in candidates if one is not chosen), chosen]:
            self._before = self._result.add(
                f"{name} {candidate.get('candidate_id', '')}".strip(),
                before,
                "user" if is_user else "assistant",
                text_of(candidate.get("raw_content")) or "",
                time=read_time(candidate.get("create_time") or turn.get("create_time")),
                speaker=string_in(author, "name"),
            )
        self._result.active = self._before

    def _add_pair(self, pair: Sequence[Any], number: int) -> None:
        for role, text in zip(("user", "assistant"), pair, strict=False):
            said = text_of(text)
            if said and said != "<|BEGIN-VISIBLE-CHAT|>":
                self._before = self._result.add(f"{role} {number}", self._before, role, said)


def _is_pairs(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(pair, list) for pair in value)
