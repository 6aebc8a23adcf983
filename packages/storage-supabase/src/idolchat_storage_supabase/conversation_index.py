"""What is in the bucket, conversation by conversation."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from idolchat_core import ConversationSummary
from idolchat_storage_supabase.bucket import Bucket, Entry
from idolchat_storage_supabase.chats import Row
from idolchat_storage_supabase.tails import NEW, TailKey, Tails

__all__ = ["ConversationIndex", "document_key", "facts_of", "id_of"]

AT_ONCE = 8
MAX_REMEMBERED = 50_000
_NOW = datetime.max.replace(tzinfo=UTC)
"""When a conversation with a tail was written: later than any row that somebody else has written."""

type Describe = Callable[[UUID], Awaitable[ConversationSummary | None]]
"""Reads a document that has no facts beside it, and describes it; None when it is gone."""


class ConversationIndex:
    """Describes conversations by what is written beside their objects and tails, and remembers that by version."""

    def __init__(self, bucket: Bucket, describe: Describe, tails: Tails) -> None:
        self._bucket = bucket
        self._tails = tails
        self._describe = describe
        self._known: OrderedDict[UUID, tuple[str, ConversationSummary]] = OrderedDict()
        self._noted: OrderedDict[UUID, ConversationSummary] = OrderedDict()

    async def ids(self) -> AsyncGenerator[UUID]:
        """List the ids of all conversations."""
        tails = dict(await self._tails.newest())
        async for entry in self._bucket.entries():
            conversation_id = id_of(entry)
            if conversation_id is not None:
                tails.pop(conversation_id, None)
                yield conversation_id
        for key in _begun(tails):
            yield key.conversation_id

    async def summaries(
        self, wanted: Callable[[UUID, datetime | None], bool] = lambda *_: True
    ) -> AsyncGenerator[ConversationSummary]:
        """Describe the conversations that are wanted, by id and the time at which their object was written."""
        tails = dict(await self._tails.newest())

        def is_wanted(conversation_id: UUID, written_at: datetime | None) -> bool:
            is_so = wanted(conversation_id, _NOW if conversation_id in tails else written_at)
            if not is_so:
                tails.pop(conversation_id, None)
            return is_so

        async for summary in self._of_objects(is_wanted):
            yield await self._as_grown(summary, tails.pop(summary.id, None))
        for key in _begun(tails):
            if wanted(key.conversation_id, _NOW) and (begun := await self._tails.summary(key)) is not None:
                yield begun

    async def _of_objects(self, wanted: Callable[[UUID, datetime | None], bool]) -> AsyncGenerator[ConversationSummary]:
        waiting: list[tuple[UUID, Entry]] = []
        async for entry in self._bucket.entries():
            conversation_id = id_of(entry)
            if conversation_id is None or not wanted(conversation_id, entry.updated_at):
                continue
            waiting.append((conversation_id, entry))
            if len(waiting) == AT_ONCE:
                for summary in await self._described(waiting):
                    yield summary
                waiting = []
        for summary in await self._described(waiting):
            yield summary

    def note(self, summary: ConversationSummary) -> None:
        """Remember what this process has just written."""
        self._noted[summary.id] = summary
        self._noted.move_to_end(summary.id)
        if len(self._noted) > MAX_REMEMBERED:
            self._noted.popitem(last=False)

    async def of_rows(self, rows: Sequence[Row]) -> list[ConversationSummary | None]:
        """Describe the conversations of rows: by the row, by what was written here, or by a look at the object."""
        found = {row.id: row.summary or self._written_here(row) for row in rows}
        unknown = [conversation_id for conversation_id, summary in found.items() if summary is None]
        found |= dict(zip(unknown, await self.those(unknown), strict=True))
        for summary in found.values():
            if summary is not None:
                self.note(summary)
        return [found[row.id] for row in rows]

    def _written_here(self, row: Row) -> ConversationSummary | None:
        summary = self._noted.get(row.id)
        return summary if summary is not None and summary.updated_at == row.updated_at else None

    async def summary(self, conversation_id: UUID) -> ConversationSummary | None:
        """Describe a conversation as it is now; None when there is none."""
        tail = (await self._tails.newest()).get(conversation_id)
        facts = await self._bucket.facts(document_key(conversation_id))
        if facts is None:
            return await self._tails.summary(tail) if tail is not None and tail.base == NEW else None
        try:
            found = ConversationSummary.model_validate({**facts, "id": conversation_id})
        except ValidationError:
            # Written by something else than this package.
            return await self._describe(conversation_id)
        return await self._as_grown(found, tail)

    async def _as_grown(self, stored: ConversationSummary, tail: TailKey | None) -> ConversationSummary:
        """Describe a conversation with its tail, where that has more than the object."""
        with_tail = None if tail is None else await self._tails.summary(tail)
        return with_tail if with_tail is not None and with_tail.message_count > stored.message_count else stored

    async def those(self, conversation_ids: Sequence[UUID]) -> list[ConversationSummary | None]:
        """Describe these, a few at once."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(conversation_id: UUID) -> ConversationSummary | None:
            async with slots:
                return await self.summary(conversation_id)

        return await asyncio.gather(*map(one, conversation_ids))

    async def written_since(self, time: datetime) -> AsyncGenerator[tuple[UUID, datetime]]:
        """List conversations whose objects were written since, newest first, and when each was."""
        async for entry in self._bucket.newest():
            if entry.updated_at is None:
                continue
            if entry.updated_at < time:
                return
            conversation_id = id_of(entry)
            if conversation_id is not None:
                yield conversation_id, entry.updated_at

    async def _described(self, entries: Sequence[tuple[UUID, Entry]]) -> list[ConversationSummary]:
        unknown = [
            conversation_id for conversation_id, entry in entries if self._remembered(conversation_id, entry) is None
        ]
        found = dict(zip(unknown, await self.those(unknown), strict=True))
        result = []
        for conversation_id, entry in entries:
            summary = found.get(conversation_id) or self._remembered(conversation_id, entry)
            if summary is not None:
                self._remember(conversation_id, entry, summary)
                result.append(summary)
        return result

    def _remembered(self, conversation_id: UUID, entry: Entry) -> ConversationSummary | None:
        version, summary = self._known.get(conversation_id, ("", None))
        return summary if version == entry.version else None

    def _remember(self, conversation_id: UUID, entry: Entry, summary: ConversationSummary) -> None:
        self._known[conversation_id] = (entry.version, summary)
        self._known.move_to_end(conversation_id)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)


def _begun(tails: Mapping[UUID, TailKey]) -> list[TailKey]:
    """Choose those that need no object."""
    return [key for key in tails.values() if key.base == NEW]


def document_key(conversation_id: UUID) -> str:
    """Name the object of a conversation."""
    return f"{conversation_id}.json"


def id_of(entry: Entry) -> UUID | None:
    """Return which conversation an object is; None for what is none."""
    if entry.is_folder:
        return None
    try:
        conversation_id = UUID(entry.name.removesuffix(".json"))
    except ValueError:
        return None
    return conversation_id if document_key(conversation_id) == entry.name else None


def facts_of(summary: ConversationSummary) -> dict[str, Any]:
    """Return what is written beside an object."""
    return summary.model_dump(mode="json", exclude={"id"})
