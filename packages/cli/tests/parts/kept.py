"""Conversations for the tests of commands on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from idolchat_core import Conversation, Message

ANN, BOB, MIKA = (UUID(int=number) for number in (1, 2, 3))
NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)


def a_message(number: int, role: str, content: Any, **fields: Any) -> Message:
    """Make the message of this number, said so many minutes after noon."""
    given = {"id": UUID(int=number), "timestamp": NOON + timedelta(minutes=number), **fields}
    return Message.model_validate({"role": role, "content": content, **given})


SONG = Conversation(
    id=UUID(int=101),
    created_at=NOON,
    user_id=ANN,
    character_id=MIKA,
    messages=(
        a_message(1, "user", "Sing me a song about cherry blossom."),
        a_message(2, "assistant", "La la la \x1b[2J", model="test/quiet", finish_reason="stop"),
        a_message(3, "assistant", "Sakura, sakura...", parent_id=UUID(int=1), finish_reason="cancelled"),
        a_message(4, "user", "[bold]Again![/bold]"),
    ),
    updated_at=NOON + timedelta(minutes=4),
)
TALK = Conversation(
    id=UUID(int=102),
    created_at=NOON,
    user_id=BOB,
    messages=(
        a_message(
            5, "user", [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
        ),
        a_message(6, "assistant", None, tool_calls=[{"id": "1", "function": {"name": "look", "arguments": "{}"}}]),
    ),
    updated_at=NOON + timedelta(days=1),
)
EMPTY = Conversation(id=UUID(int=103), created_at=NOON, user_id=ANN, updated_at=NOON + timedelta(days=2))
EVERYTHING = (SONG, TALK, EMPTY)
