"""Conversations and messages for the tests of a storage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from idolchat_core.errors import StorageConflict
from idolchat_core.models import Conversation, Message, new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.filters import ConversationFilter

__all__ = ["START", "TEXTS", "a_conversation", "a_message", "append", "append_retrying", "listed", "texts_of"]

START = datetime(2025, 6, 1, 12, tzinfo=UTC)

TEXTS = {
    "CJK": "你好我的朋友。今日はいい天気ですね。 안녕하세요",
    "emoji": "🌸 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "line ends": "one\ntwo\r\nthree\rfour\n",
    "Unicode line ends": "one\u2028two\u2029three\u0085four\vfive\fsix\x1cseven",
    "NUL and control characters": "a\0b\x01\x1b[31m\x7f",
    "right to left": "שלום עולם مرحبا",
    "combining": "e\u0301 \u0928\u093f",
    "last code points": "\ufeff\uffff\U0010ffff",
    "JSON": '"}\n],"updated_at":"2020-01-01T00:00:00Z"}\\u0000 {"id": "x"},\n',
    "blanks": " \t ",
    "nothing": "",
    "long": "今日は🌸" * 20_000,
}


def a_message(content: str | list[dict[str, Any]] = "Hello!", *, after_s: float = 0, **fields: Any) -> Message:
    """Make a message of the user, said ``after_s`` seconds after noon of 1 June 2025."""
    given = {"id": new_id(), "role": "user", "timestamp": START + timedelta(seconds=after_s), **fields}
    return Message.model_validate({**given, "content": content})


def a_conversation(*texts: str, after_s: float = 0, **fields: Any) -> Conversation:
    """Make a conversation with these messages, last changed ``after_s`` seconds after noon of 1 June 2025."""
    given = {"id": new_id(), "created_at": START, "user_id": uuid4(), "character_id": uuid4(), **fields}
    messages = tuple(a_message(text, after_s=position) for position, text in enumerate(texts))
    updated_at = START + timedelta(seconds=after_s)
    return Conversation.model_validate({"messages": messages, "updated_at": updated_at, **given})


async def append(
    storage: Storage, to: Conversation, *messages: Message, expected_count: int | None = None, **more: Any
) -> str | None:
    """Add messages to a conversation, which holds those that it was made with, or so many."""
    before = len(to.messages) if expected_count is None else expected_count
    updated_at = START + timedelta(hours=1)
    return await storage.append(to.id, messages, expected_count=before, updated_at=updated_at, **more)


async def append_retrying(storage: Storage, to: UUID, message: Message, *, expected_count: int) -> None:
    """Add a message as a writer does who is told that others were faster."""
    while True:
        try:
            await storage.append(to, [message], expected_count=expected_count, updated_at=message.timestamp)
        except StorageConflict as conflict:
            page = await storage.read_page(to, limit=1)
            expected_count = page.total if conflict.actual_count is None else conflict.actual_count
        else:
            return


async def texts_of(storage: Storage, conversation_id: UUID) -> list[Any]:
    """Read what is said in a conversation."""
    return [message.content for message in (await storage.read(conversation_id)).messages]


async def listed(storage: Storage, *, limit: int = 20, before: str | None = None, **filters: Any) -> list[UUID]:
    """List the ids of the conversations that match a filter."""
    page = await storage.list(ConversationFilter(**filters), limit=limit, before=before)
    return [summary.id for summary in page.data]
