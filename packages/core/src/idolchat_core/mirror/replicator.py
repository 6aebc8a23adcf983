"""Copies one conversation or record to a mirror, or removes it there.

A history that is not this primary's is never replaced. A record has no history: the primary's value replaces it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum, auto
from uuid import UUID

from idolchat_core.errors import ConversationDamaged, ConversationExists, ConversationNotFound
from idolchat_core.mirror.connection import MirrorConnection, MirrorFailed, of_mirror
from idolchat_core.mirror.inventory import Inventory
from idolchat_core.mirror.outbox import ANY_HISTORY, Note, Outbox, Subject
from idolchat_core.mirror.queue import ReplicationQueue, Work
from idolchat_core.mirror.throttle import ThrottleState, spent
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.mirror.versions import DocumentVersion, Relation, relate, version_of
from idolchat_core.mirror.worker import Tally
from idolchat_core.storage import document
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.records import RecordKey

__all__ = ["RECORD_DELETED", "RECORD_PUT", "Replicator"]

log = logging.getLogger(__name__)

_FEW_BYTES = 256 * 1024
_MAX_CONFLICTS = 10_000
RECORD_PUT, RECORD_DELETED = "put", "delete"
"""How notes about records begin."""


class _Decision(StrEnum):
    SEND = auto()
    HELD = auto()
    CONFLICT = auto()


class Replicator:
    """Makes the mirror's copy of one conversation, or record, as the primary has it."""

    def __init__(
        self,
        primary: Storage,
        connection: MirrorConnection,
        *,
        outbox: Outbox,
        inventory: Inventory,
        pending: ReplicationQueue,
        tuning: MirrorTuning,
    ) -> None:
        self._primary = primary
        self._connection = connection
        self._outbox = outbox
        self._inventory = inventory
        self._queue = pending
        self._tuning = tuning
        self._answers = 0
        self.tally = Tally()
        self.facts: Mapping[str, str] = {"mirror": connection.name}
        self.conflicts: set[UUID] = set()

    async def bring(self, subject: Subject, work: Work) -> bool:
        """Copy the newest state; return whether the mirror had a part in it.

        Raises ``MirrorFailed``, and ``StorageError`` of the primary.
        """
        notes = self._outbox.of(subject)
        answers = self._answers
        try:
            if isinstance(subject, RecordKey):
                await self._bring_record(subject, work, notes)
            else:
                await self._bring_conversation(subject, work, notes)
        except MirrorFailed:
            self._queue.held.pop(subject, None)
            raise
        await self._outbox.remove(subject, notes)
        return self._answers > answers

    async def _bring_record(self, key: RecordKey, work: Work, notes: Sequence[Note]) -> None:
        value = await self._primary.get_record(*key)
        if value is not None:
            digest = await _digest(value)
            if (held := self._queue.held.get(key)) is None or held.digest != digest:
                async with of_mirror():
                    await self._connection.get().put_record(*key, value)
                self._has_sent(key, work, value, digest)
        elif any(note.text.startswith(RECORD_DELETED) for note in notes):
            self._queue.held.pop(key, None)
            self._inventory.discard(key)
            async with of_mirror():
                await self._connection.get().delete_record(*key)
            self._answers += 1
            self.tally.deletions += 1

    async def _bring_conversation(self, conversation_id: UUID, work: Work, notes: Sequence[Note]) -> None:
        try:
            await self._copy(conversation_id, work, notes)
        except ConversationNotFound:
            await self._remove(conversation_id, notes)
        except ConversationDamaged:
            # The mirror's copy may be the better one. It is left as it is, for `idol storage sync` to judge.
            log.warning("a damaged conversation is not copied", extra=self._facts(conversation_id))

    async def check(self) -> None:
        """Return when the mirror is well. Raises ``StorageUnavailable``."""
        await self._connection.get().check()

    async def _copy(self, conversation_id: UUID, work: Work, notes: Sequence[Note]) -> None:
        held = self._queue.held.get(conversation_id)
        if held is None and work.is_new and not notes and await self._create(conversation_id, work):
            return
        if held is None or notes:
            verdict = await self._judge(conversation_id, work, notes)
            if verdict is not _Decision.CONFLICT:
                self.conflicts.discard(conversation_id)
            if verdict is not _Decision.SEND:
                return
        data = await self._primary.read_document(conversation_id)
        digest = await _digest(data)
        if held is not None and digest == held.digest:
            return
        async with of_mirror():
            await self._connection.get().put_document(conversation_id, data)
        self._has_sent(conversation_id, work, data, digest)

    async def _create(self, conversation_id: UUID, work: Work) -> bool:
        """Write a conversation begun here without reading the mirror; return whether that had none of this id."""
        data = await self._primary.read_document(conversation_id)
        try:
            async with of_mirror():
                await self._connection.get().create_document(conversation_id, data)
        except MirrorFailed as failed:
            if not isinstance(failed.error, ConversationExists):
                raise
            self._answers += 1
            return False
        self._has_sent(conversation_id, work, data, await _digest(data))
        return True

    def _has_sent(self, subject: Subject, work: Work, data: bytes, digest: bytes) -> None:
        self._answers += 1
        self.tally.uploads += 1
        self.tally.uploaded_bytes += len(data)
        self._inventory.discard(subject)
        held, now = self._queue.held.get(subject), time.monotonic()
        left = spent(held, self._tuning, size=len(data), now=now, new_bytes=work.new_bytes)
        updated_at = None if isinstance(subject, RecordKey) else _updated_at(data)
        self._queue.keep(subject, ThrottleState(digest, len(data), updated_at, left, now))

    async def _judge(self, conversation_id: UUID, work: Work, notes: Sequence[Note]) -> _Decision:
        """Read what the mirror holds. Raises as ``bring``."""
        mine = await version_of(self._primary, conversation_id)
        theirs = await self._theirs(conversation_id)
        if theirs is None or _is_noted(theirs, notes):
            return _Decision.SEND
        async with of_mirror():
            mirror = self._connection.get()
        try:
            relation = await relate(conversation_id, mine, theirs, primary=self._primary, mirror=mirror)
        except ConversationNotFound:
            return _Decision.SEND  # one of the two has just been deleted: reading it tells which
        has_changed = bool(notes) or ChangeKind.CHANGED in work.kinds
        if relation is Relation.SAME and mine.updated_at == theirs.updated_at and not has_changed:
            self._queue.keep(conversation_id, ThrottleState(None, 0, mine.updated_at, 0.0, time.monotonic()))
            return _Decision.HELD
        if relation in (Relation.SAME, Relation.BEHIND):
            return _Decision.SEND
        self._note_conflict(conversation_id, relation)
        return _Decision.CONFLICT

    async def _theirs(self, conversation_id: UUID) -> DocumentVersion | None:
        """Return what the mirror holds; None where it is nothing, or nothing that can be read."""
        found: DocumentVersion | None = None
        try:
            async with of_mirror():
                found = await version_of(self._connection.get(), conversation_id)
        except MirrorFailed as failed:
            if not isinstance(failed.error, ConversationNotFound | ConversationDamaged):
                raise
        self._answers += 1
        return found

    async def _remove(self, conversation_id: UUID, notes: Sequence[Note]) -> None:
        """Delete a conversation there that was deleted here, unless it is another one of the same id."""
        self._queue.held.pop(conversation_id, None)
        self._inventory.discard(conversation_id)
        if not any(note.text for note in notes):
            return
        theirs = await self._theirs(conversation_id)
        if theirs is not None and not _is_noted(theirs, notes):
            self._note_conflict(conversation_id, Relation.OTHER)
            return
        self.conflicts.discard(conversation_id)
        try:
            async with of_mirror():
                await self._connection.get().delete(conversation_id)
        except MirrorFailed as failed:
            if not isinstance(failed.error, ConversationNotFound):
                raise
        else:
            self.tally.deletions += 1

    def _note_conflict(self, conversation_id: UUID, relation: Relation) -> None:
        if conversation_id in self.conflicts:
            return
        if len(self.conflicts) < _MAX_CONFLICTS:
            self.conflicts.add(conversation_id)
        log.warning(
            "a mirror holds another history of a conversation, which is left as it is; see `idol storage sync`",
            extra=self._facts(conversation_id) | {"mirror_is": relation},
        )

    def _facts(self, conversation_id: UUID) -> dict[str, str]:
        return {**self.facts, "conversation_id": str(conversation_id)}


def _is_noted(theirs: DocumentVersion, notes: Sequence[Note]) -> bool:
    return any(note.text in (ANY_HISTORY, theirs.created_at.isoformat()) for note in notes)


async def _digest(data: bytes) -> bytes:
    if len(data) <= _FEW_BYTES:
        return hashlib.blake2b(data, digest_size=16).digest()
    return await asyncio.to_thread(lambda: hashlib.blake2b(data, digest_size=16).digest())


def _updated_at(data: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(document.parse_closing(data[data.rfind(b'\n],"updated_at":') :])["updated_at"])
    except ValueError:
        return None
