"""Store what was found, beside what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from idolchat_cli.conversations.importing.candidate import Candidate
from idolchat_core.errors import ConversationDamaged, ConversationExists, ConversationNotFound, StorageConflict
from idolchat_core.models import Conversation
from idolchat_core.storage import document
from idolchat_core.storage.contract import Storage

__all__ = ["Importer", "OnConflict", "Outcome"]


class OnConflict(StrEnum):
    """What becomes of a conversation whose id is there already, with other messages."""

    SKIP = "skip"
    OVERWRITE = "overwrite"


class Outcome(StrEnum):
    """What became of a conversation: ``extended`` where messages were added, ``unchanged`` where it was there."""

    CREATED = "created"
    EXTENDED = "extended"
    OVERWRITTEN = "overwritten"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"


_TRIES = 5


class Importer:
    """Stores one conversation after the other; with ``dry_run`` it returns what would be done.

    None replaces another that came by the same importer: of two that say different things under one id, the second
    is a conflict, or gets an id made of what it says where the id was made of names of another program.
    """

    def __init__(self, storage: Storage, *, overwrites: bool, dry_run: bool) -> None:
        self._storage = storage
        self._overwrites = overwrites
        self._dry_run = dry_run
        self._stored: set[UUID] = set()

    async def store(self, candidate: Candidate) -> Outcome:
        """Store a conversation. Raises ``StorageError`` where that cannot be done."""
        conversation = candidate.conversation
        outcome = await self._store(conversation)
        if outcome is Outcome.CONFLICT and candidate.is_derived and conversation.id in self._stored:
            said = hashlib.sha256(b"\n".join(_lines(conversation))).hexdigest()
            conversation = conversation.model_copy(update={"id": uuid5(conversation.id, said)})
            outcome = await self._store(conversation)
        self._stored.add(conversation.id)
        return outcome

    async def _store(self, conversation: Conversation) -> Outcome:
        for _ in range(_TRIES):
            try:
                return await self._try(conversation)
            except (ConversationExists, StorageConflict, ConversationNotFound):
                continue  # somebody else has changed it since it was read
        raise StorageConflict(f"conversation {conversation.id} is being changed by another process; import it again")

    async def _try(self, new: Conversation) -> Outcome:
        try:
            old = await self._storage.read(new.id)
        except ConversationNotFound:
            await self._do(self._storage.create, new)
            return Outcome.CREATED
        except ConversationDamaged:
            return await self._overwrite(new)
        if old.status == "damaged":
            return await self._overwrite(new)
        if document.encode(old) == document.encode(new):
            return Outcome.UNCHANGED
        before, after = _lines(old), _lines(new)
        if len(after) <= len(before) and before[: len(after)] == after and _fixed(old) == _fixed(new):
            return Outcome.UNCHANGED
        if after[: len(before)] == before and _fixed(old) == _fixed(new):
            await self._extend(new, len(before))
            return Outcome.EXTENDED
        return await self._overwrite(new)

    async def _overwrite(self, new: Conversation) -> Outcome:
        if not self._overwrites or new.id in self._stored:
            return Outcome.CONFLICT
        await self._do(self._storage.put, new)
        return Outcome.OVERWRITTEN

    async def _extend(self, new: Conversation, known: int) -> None:
        if self._dry_run:
            return
        added = new.messages[known:]
        await self._storage.append(new.id, added, expected_count=known, updated_at=new.updated_at, head=new.head)

    async def _do(self, change: Callable[[Conversation], Awaitable[object]], new: Conversation) -> None:
        if not self._dry_run:
            await change(new)


def _lines(conversation: Conversation) -> list[bytes]:
    return [document.line(message) for message in conversation.messages]


def _fixed(conversation: Conversation) -> tuple[Any, ...]:
    return conversation.created_at, conversation.user_id, conversation.character_id
