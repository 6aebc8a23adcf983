"""Building the index anew from the conversations, and comparing it with them; also beside a server that feeds it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from idolchat_core import (
    ConversationDamaged,
    ConversationNotFound,
    MemoryMessage,
    MemoryScope,
    ScopeReader,
    Storage,
)
from idolchat_memory.feed.memories import all_memories
from idolchat_memory.feed.observer import MemoryFeed
from idolchat_memory.groups import scope_of
from idolchat_memory.service import Memory

__all__ = ["compare", "rebuild"]

_EVER = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
_ALL = 10_000_000
_PAGE = 200


async def rebuild(memory: Memory, storage: Storage) -> AsyncGenerator[UUID]:
    """Forget everything, index each conversation again, and give its id then.

    A damaged conversation is left out, as it is by a server. Raises ``StorageUnavailable``.
    """
    feed = MemoryFeed(memory.index, storage, anonymous=memory.settings.anonymous)
    await memory.index.clear()
    for conversation_id in await storage.list_ids():
        await feed.bring(conversation_id)
        yield conversation_id


async def compare(memory: Memory, storage: Storage) -> AsyncGenerator[tuple[UUID, bool]]:
    """Yield each conversation that is stored or indexed, and whether the index holds what it should of it.

    Raises ``StorageUnavailable``.
    """
    unseen = set(await memory.index.conversations())
    for scope, conversation_ids in (await _by_scope(storage)).items():
        indexed = await memory.index.read(scope, _all_messages)
        for conversation_id in conversation_ids:
            is_known = conversation_id in unseen
            unseen.discard(conversation_id)
            wanted = await _wanted(memory, storage, conversation_id)
            yield conversation_id, wanted is None or (is_known and indexed.get(conversation_id, []) == wanted)
    for conversation_id in unseen:
        yield conversation_id, False


async def _by_scope(storage: Storage) -> Mapping[MemoryScope, Sequence[UUID]]:
    found: defaultdict[MemoryScope, list[UUID]] = defaultdict(list)
    before: str | None = None
    while True:
        page = await storage.list(limit=_PAGE, before=before)
        for summary in page.data:
            found[scope_of(summary)].append(summary.id)
        before = page.next
        if before is None:
            return found


async def _wanted(memory: Memory, storage: Storage, conversation_id: UUID) -> list[MemoryMessage] | None:
    """List what is to be indexed; None for a conversation that is damaged, or gone meanwhile."""
    try:
        conversation = await storage.read(conversation_id)
    except (ConversationNotFound, ConversationDamaged):
        return None
    if conversation.status == "damaged":
        return None
    if scope_of(conversation).user_id is None and not memory.settings.anonymous:
        return []
    return await asyncio.to_thread(all_memories, conversation)


def _all_messages(reader: ScopeReader) -> Mapping[UUID, list[MemoryMessage]]:
    rows = reader.rows(reader.places_between(*_EVER, limit=_ALL))
    found: defaultdict[UUID, list[MemoryMessage]] = defaultdict(list)
    for place in sorted(rows):
        found[rows[place].conversation_id].append(rows[place].message)
    return found
