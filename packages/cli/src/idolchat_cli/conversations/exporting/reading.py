"""Read many conversations, several at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import NamedTuple
from uuid import UUID

from idolchat_core.errors import ConversationDamaged, ConversationNotFound
from idolchat_core.storage import document
from idolchat_core.storage.contract import Storage

__all__ = ["Read", "read_documents"]

AHEAD = 16
"""How many are read while one is written: enough to keep a disk busy, and little memory."""


class Read(NamedTuple):
    """A conversation's document; ``data`` is None where nothing can be read, because it is ``missing`` or damaged."""

    conversation_id: UUID
    data: bytes | None
    is_damaged: bool = False


async def read_documents(storage: Storage, ids: Iterable[UUID]) -> AsyncGenerator[Read]:
    """Read these conversations, in their order; of a damaged one, what can be read. Raises ``StorageUnavailable``."""
    reading: deque[asyncio.Task[Read]] = deque()
    try:
        for conversation_id in ids:
            reading.append(asyncio.create_task(_read(storage, conversation_id)))
            if len(reading) > AHEAD:
                yield await reading.popleft()
        while reading:
            yield await reading.popleft()
    finally:
        for task in reading:
            task.cancel()


async def _read(storage: Storage, conversation_id: UUID) -> Read:
    try:
        return Read(conversation_id, await storage.read_document(conversation_id))
    except ConversationNotFound:
        return Read(conversation_id, None)
    except ConversationDamaged:
        pass
    try:
        part = document.encode(await storage.read(conversation_id))
    except ConversationNotFound:
        return Read(conversation_id, None)
    except ConversationDamaged:
        return Read(conversation_id, None, is_damaged=True)
    return Read(conversation_id, part, is_damaged=True)
