"""New messages, as they are stored by whoever writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from idolchat_cli.conversations.filters import Filters
from idolchat_core.errors import ConversationDamaged, ConversationNotFound
from idolchat_core.models import Conversation, Message, Page, utc_now
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.fallbacks import summaries

__all__ = ["Heard", "Listener"]

EVERY_S = 0.5
PAGE_SIZE = 64


class Heard(NamedTuple):
    """A message, its position, and the conversation it is in, which holds a part of its messages only."""

    conversation: Conversation
    position: int
    message: Message


class Listener:
    """Asks the storage for what has changed, twice a second: the cost is that of a short list, or of one page.

    A storage lists what another process stored once it has learnt of it: the local one within half a second.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._begun_at = utc_now()
        self._counts: dict[UUID, int] = {}

    async def listen(self, filters: Filters) -> AsyncGenerator[Heard]:
        """Return every message that is stored from now on, in all conversations that the filters take."""
        newest_at = self._begun_at
        while True:
            wanted = replace(filters.for_storage(), since=newest_at, until=None)
            changed = [summary async for summary in summaries(self._storage, wanted)]
            for summary in reversed(changed):
                newest_at = max(newest_at, summary.updated_at)
                if self._counts.get(summary.id) != summary.message_count:
                    for heard in await self._new_in(summary.id):
                        yield heard
            await asyncio.sleep(EVERY_S)

    async def listen_to(self, conversation_id: UUID, *, last: int) -> AsyncGenerator[Heard]:
        """Return the last messages of a conversation, and then what is stored. Raises ``ConversationNotFound``."""
        page = await self._storage.read_page(conversation_id, limit=max(last, 1))
        self._counts[conversation_id] = page.total
        for heard in _placed(page)[-last or len(page.conversation.messages) :]:
            yield heard
        while True:
            await asyncio.sleep(EVERY_S)
            for heard in await self._new_in(conversation_id):
                yield heard

    async def _new_in(self, conversation_id: UUID) -> list[Heard]:
        try:
            return await self._read_back(conversation_id)
        except (ConversationNotFound, ConversationDamaged):
            return []

    async def _read_back(self, conversation_id: UUID) -> list[Heard]:
        """Read from the end to the last known message, or to the first that was said since this began."""
        known = self._counts.get(conversation_id)
        heard: list[Heard] = []
        page = await self._storage.read_page(conversation_id, limit=PAGE_SIZE)
        self._counts[conversation_id] = page.total
        while True:
            new = [one for one in _placed(page) if self._is_new(one, known)]
            heard[:0] = new
            if page.start == 0 or len(new) < len(page.conversation.messages):
                return heard
            page = await self._storage.read_page(conversation_id, limit=PAGE_SIZE, before=page.start)

    def _is_new(self, heard: Heard, known: int | None) -> bool:
        return heard.position >= known if known is not None else heard.message.timestamp >= self._begun_at


def _placed(page: Page) -> list[Heard]:
    conversation = page.conversation
    return [
        Heard(conversation, position, message) for position, message in enumerate(conversation.messages, page.start)
    ]
