"""What a storage does that has nothing better: search and count by going through everything, read many one by one."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import batched
from typing import TYPE_CHECKING
from uuid import UUID

from idolchat_core import search
from idolchat_core.errors import ConversationDamaged, ConversationNotFound
from idolchat_core.models import Conversation, ConversationSummary, Message
from idolchat_core.storage import document
from idolchat_core.storage.expectations import check_revision
from idolchat_core.storage.filters import EVERYTHING, ConversationFilter
from idolchat_core.storage.stats import StatsCounter, StorageStats

if TYPE_CHECKING:
    from idolchat_core.storage.contract import Storage

__all__ = ["documents_of", "hits_in", "replace_message", "revisions_of", "search_all", "stats_of", "summaries"]

_PAGE_SIZE = 200
_AT_ONCE = 64


async def summaries(storage: Storage, matching: ConversationFilter = EVERYTHING) -> AsyncGenerator[ConversationSummary]:
    """Go through the list of conversations, page after page."""
    before: str | None = None
    while True:
        page = await storage.list(matching, limit=_PAGE_SIZE, before=before)
        for summary in page.data:
            yield summary
        before = page.next
        if before is None:
            return


async def documents_of(storage: Storage, conversation_ids: Collection[UUID]) -> dict[UUID, bytes | ConversationDamaged]:
    """See ``Storage.read_documents``."""
    found: dict[UUID, bytes | ConversationDamaged] = {}
    for some in batched(conversation_ids, _AT_ONCE):
        read = await asyncio.gather(*(_document(storage, conversation_id) for conversation_id in some))
        found |= {
            conversation_id: document
            for conversation_id, document in zip(some, read, strict=True)
            if document is not None
        }
    return found


async def revisions_of(storage: Storage, conversation_ids: Collection[UUID]) -> dict[UUID, str]:
    """See ``Storage.revisions``."""
    found: dict[UUID, str] = {}
    for some in batched(conversation_ids, _AT_ONCE):
        read = await asyncio.gather(*(_revision(storage, conversation_id) for conversation_id in some))
        found |= {
            conversation_id: revision
            for conversation_id, revision in zip(some, read, strict=True)
            if revision is not None
        }
    return found


async def _revision(storage: Storage, conversation_id: UUID) -> str | None:
    try:
        page = await storage.read_page(conversation_id, limit=1)
    except (ConversationNotFound, ConversationDamaged):
        return None
    return page.revision if page.conversation.status != "damaged" else None


async def _document(storage: Storage, conversation_id: UUID) -> bytes | ConversationDamaged | None:
    try:
        return await storage.read_document(conversation_id)
    except ConversationNotFound:
        return None
    except ConversationDamaged as error:
        return error


async def replace_message(storage: Storage, conversation_id: UUID, message: Message) -> None:
    """See ``Storage.replace_message``."""
    revision = (await storage.read_page(conversation_id, limit=1)).revision
    before = await storage.read(conversation_id)
    if before.status == "damaged":
        raise ConversationDamaged(f"conversation {conversation_id} is damaged; repair it first")
    changed = document.with_message(before, message)
    now = await storage.read_page(conversation_id, limit=1)
    check_revision(conversation_id, now.revision, revision)
    await storage.put(changed)


async def stats_of(storage: Storage, matching: ConversationFilter) -> StorageStats:
    """See ``Storage.stats``."""
    counter = StatsCounter()
    async for summary in summaries(storage, matching):
        counter.add(summary)
    return counter.result()


async def search_all(
    storage: Storage, text: str, matching: ConversationFilter, *, limit: int, before: str | None
) -> search.SearchResults:
    """See ``Storage.search``; of the hits, no more than a page is held at a time."""
    query = search.Query(text)
    end = search.place(before) if before is not None else None
    best: list[tuple[tuple[datetime, UUID, int], search.SearchHit]] = []
    async for summary in summaries(storage, replace(matching, since=None, until=None)):
        try:
            conversation = await storage.read(summary.id)
        except (ConversationNotFound, ConversationDamaged):
            continue
        for hit in hits_in(conversation, query):
            order = (hit.timestamp, hit.conversation_id, hit.position)
            if (end is None or order < end) and matching.includes_time(hit.timestamp):
                (heapq.heappush if len(best) <= limit else heapq.heappushpop)(best, (order, hit))
    found = [hit for _, hit in sorted(best, key=lambda pair: pair[0], reverse=True)]
    page = found[:limit]
    return search.SearchResults(data=page, next=search.cursor(page[-1]) if page and len(found) > limit else None)


def hits_in(conversation: Conversation, query: search.Query, *, start: int = 0) -> Iterator[search.SearchHit]:
    """Find the messages of a conversation, or of its part from position ``start`` on, that match."""
    for position, message in enumerate(conversation.messages, start):
        shown = query.show(search.text_of(message))
        if shown is not None:
            snippet, matches = shown
            yield search.SearchHit(
                conversation_id=conversation.id,
                user_id=conversation.user_id,
                character_id=conversation.character_id,
                message_id=message.id,
                position=position,
                role=message.role,
                timestamp=message.timestamp,
                snippet=snippet,
                matches=matches,
            )
