"""Where summaries are kept: derived records, each with the messages that it stands for."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from idolchat_core import Change, ChangeKind, ConversationDamaged, ConversationNotFound, Storage
from idolchat_memory.summaries.covering import right_ones
from idolchat_memory.summaries.summary import Summary

__all__ = ["SUMMARIES", "SummaryStore", "summaries_of"]

log = logging.getLogger(__name__)

SUMMARIES: Final = "summaries"
MAX_KEPT = 8
"""Of one conversation; the oldest go first."""
_MAX_CONVERSATIONS = 1000
_ADDS = frozenset(
    {ChangeKind.STORED, ChangeKind.EDITED, ChangeKind.REGENERATED, ChangeKind.ROLLED_BACK, ChangeKind.HEAD_MOVED}
)
"""Kinds of changes that leave every message as it is."""


class SummaryStore:
    """The summaries of all conversations.

    Those of a conversation are read again, and held against its messages, whenever its branch was read again: what was
    deleted or replaced is in no summary that is used, whoever did that.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept: OrderedDict[UUID, tuple[int, list[Summary]]] = OrderedDict()
        self._checking: dict[tuple[UUID, int], asyncio.Task[list[Summary]]] = {}

    def of_known_reading(self, conversation_id: UUID, reading: int) -> Sequence[Summary] | None:
        """Return what ``of_reading`` gave for this reading of a branch, and what was made since; None: not asked."""
        kept = self._kept.get(conversation_id)
        return kept[1] if kept is not None and kept[0] == reading else None

    async def of_reading(self, conversation_id: UUID, reading: int) -> Sequence[Summary]:
        """Return the summaries of a conversation that are right, for one reading of its branch.

        Raises ``StorageUnavailable``.
        """
        kept = self._kept.get(conversation_id)
        if kept is None or kept[0] != reading:
            kept = reading, await self._checked(conversation_id, reading)
            self._kept[conversation_id] = kept
            if len(self._kept) > _MAX_CONVERSATIONS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(conversation_id)
        return kept[1]

    async def _checked(self, conversation_id: UUID, reading: int) -> list[Summary]:
        """Check them, on behalf of all who ask meanwhile; who cannot wait finds it further on the next time."""
        at = conversation_id, reading
        if at not in self._checking:
            task = self._checking[at] = asyncio.create_task(self._right(conversation_id))
            task.add_done_callback(lambda _: self._checking.pop(at, None))
        return list(await asyncio.shield(self._checking[at]))

    def right_now(self, conversation_id: UUID) -> Sequence[Summary]:
        """Return the summaries that were right when the branch was read last; none where that was not asked."""
        kept = self._kept.get(conversation_id)
        return kept[1] if kept is not None else ()

    async def all_of(self, conversation_id: UUID) -> list[Summary]:
        """List what is stored of a conversation, the oldest first. Raises ``StorageUnavailable``."""
        found: list[Summary] = []
        for name in await self._names(conversation_id):
            value = await self._storage.get_record(SUMMARIES, name)
            try:
                found += [Summary.model_validate_json(value)] if value is not None else []
            except ValidationError:  # it is derived: another is made
                log.warning("a summary cannot be read", extra={"conversation_id": str(conversation_id)})
        return sorted(found, key=lambda one: one.made_at)

    async def add(self, summary: Summary) -> None:
        """Store a summary, and drop what is more than are kept."""
        value = summary.model_dump_json().encode()
        await self._storage.put_record(SUMMARIES, _name(summary), value, durable=False)
        kept = self._kept.get(summary.conversation_id)
        if kept is not None:
            kept[1].append(summary)
        stored = await self.all_of(summary.conversation_id)
        for old in stored[:-MAX_KEPT]:
            await self._drop(old)

    async def delete(self, conversation_id: UUID) -> int:
        """Delete all summaries of a conversation, and return how many."""
        self._kept.pop(conversation_id, None)
        names = await self._names(conversation_id)
        for name in names:
            await self._storage.delete_record(SUMMARIES, name)
        return len(names)

    async def follow(self, change: Change) -> None:
        """Delete what a change of a conversation has made wrong. Raises ``StorageError``."""
        conversation_id = change.conversation_id
        if change.revision is None:
            await self.delete(conversation_id)
        elif not _ADDS.issuperset(change.kinds) and await self._names(conversation_id):
            await self._right(conversation_id)

    async def rests_on(self, conversation_id: UUID) -> bool:
        """Return whether a conversation has summaries."""
        return bool(await self._names(conversation_id))

    async def known(self) -> Collection[UUID]:
        """List the conversations that have summaries."""
        return {UUID(name.partition(".")[0]) for name in await self._storage.list_records(SUMMARIES)}

    async def _right(self, conversation_id: UUID) -> list[Summary]:
        """Return the summaries that agree with the conversation, and delete the others."""
        stored = await self.all_of(conversation_id)
        if not stored:
            return []
        try:
            right = await right_ones(self._storage, conversation_id, stored)
        except (ConversationNotFound, ConversationDamaged):  # they may be right again when it is restored or mended
            return []
        for wrong in [one for one in stored if one not in right]:
            await self._drop(wrong)
        return right

    async def _drop(self, summary: Summary) -> None:
        await self._storage.delete_record(SUMMARIES, _name(summary))
        kept = self._kept.get(summary.conversation_id)
        if kept is not None and summary in kept[1]:
            kept[1].remove(summary)

    async def _names(self, conversation_id: UUID) -> list[str]:
        prefix = f"{conversation_id}."
        names = await self._storage.list_records(SUMMARIES, after=prefix, limit=4 * MAX_KEPT)
        return [name for name in names if name.startswith(prefix)]


def _name(summary: Summary) -> str:
    return f"{summary.conversation_id}.{summary.id}"


_stores: WeakKeyDictionary[Storage, SummaryStore] = WeakKeyDictionary()


def summaries_of(storage: Storage) -> SummaryStore:
    """Return the summaries in a storage, the same object to all who use them in this process."""
    return _stores.setdefault(storage, SummaryStore(storage))
