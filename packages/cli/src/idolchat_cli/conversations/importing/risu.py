"""Chats of RisuAI: one (``risuChat``) or all of a character (``risuAllChats``), in files or in its packages.

{"type": "risuChat", "ver": 2, "data": {"id", "name", "lastDate", "message": [{"role": "user" | "char", "data", "time",
 "chatId", "name", "saying", "disabled", "isComment", "generationInfo": {"model"}}]}}

``time`` is in milliseconds. ``disabled`` keeps a message from the model; ``"allBefore"`` also all that come before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from idolchat_cli.conversations.importing.candidate import EMPTY, Findings, Skipped
from idolchat_cli.conversations.importing.exported import Exported
from idolchat_cli.conversations.importing.parts import key_in, mapping_in, mappings_in, string_in, text_of
from idolchat_cli.conversations.importing.times import read_time

__all__ = ["is_risu", "read_risu"]

_THOUGHTS = re.compile(r"\s*<Thoughts>(.*?)</Thoughts>\s*", re.DOTALL)
_COLD = "\uef01COLDSTORAGE\uef01"
"""What begins the only message of a chat whose messages RisuAI keeps elsewhere."""


def is_risu(value: Mapping[str, Any]) -> bool:
    """Return whether an object is such a chat, or has some."""
    return value.get("type") in ("risuChat", "risuAllChats") or _is_chat(value)


def read_risu(value: Mapping[str, Any], source: str, name: str) -> Findings:
    """Read one chat, or each of several."""
    data = value if _is_chat(value) else value.get("data")
    chats = data if isinstance(data, list) else [data]
    if not chats:
        yield Skipped(source, EMPTY, is_lost=False)
    for number, chat in enumerate(chats, 1):
        place = f"{source}, conversation {number}" if len(chats) > 1 else source
        if isinstance(chat, Mapping) and isinstance(chat.get("message"), list):
            yield from _read_chat(chat, place, f"{name} {number}" if len(chats) > 1 else name)
        else:
            yield Skipped(place, "chat that cannot be read")


def _is_chat(value: Mapping[str, Any]) -> bool:
    return any("data" in one for one in mappings_in(value, "message"))


def _read_chat(chat: Mapping[str, Any], source: str, name: str) -> Findings:
    given = chat.get("id")
    result = Exported(
        "risu",
        str(given or [name, chat.get("name")]),
        source,
        title=chat.get("name"),
        updated_at=read_time(chat.get("lastDate")),
        about={"id": given} if isinstance(given, str) else {},
    )
    messages = chat["message"]
    hidden_until = max((at for at, one in enumerate(messages) if _disabled(one) == "allBefore"), default=-1)
    before: str | None = None
    for position, message in enumerate(messages):
        before = _add(result, message, position + 1, before, is_hidden=position <= hidden_until)
    yield from result.findings()


def _add(result: Exported, message: Any, number: int, before: str | None, *, is_hidden: bool) -> str | None:
    text = text_of(message.get("data")) if isinstance(message, Mapping) else None
    if text is None:
        result.skip("message that cannot be read", f"message {number}", is_lost=True)
        return before
    if text.startswith(_COLD):
        result.skip("chat in RisuAI's cold storage: open it there, and export it again", is_lost=True)
        return before
    is_user = message.get("role") == "user"
    thoughts = [] if is_user else _THOUGHTS.findall(text)
    return result.add(
        key_in(message, "chatId") or f"message {number}",
        before,
        "user" if is_user else "assistant",
        text if is_user else _THOUGHTS.sub("", text),
        time=read_time(message.get("time")),
        is_hidden=is_hidden or bool(_disabled(message)) or bool(message.get("isComment")),
        reasoning="\n\n".join(thought.strip() for thought in thoughts) or None,
        model=None if is_user else string_in(mapping_in(message, "generationInfo"), "model"),
        speaker=string_in(message, "name"),
    )


def _disabled(message: Any) -> Any:
    return message.get("disabled") if isinstance(message, Mapping) else None
