"""Compares a primary with a mirror by content, one conversation or record after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable
from enum import StrEnum
from itertools import batched
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.errors import ConversationDamaged, ConversationNotFound
from idolchat_core.mirror.inventory import record_keys
from idolchat_core.mirror.mirror import Mirror
from idolchat_core.mirror.outbox import Subject
from idolchat_core.mirror.replicator import RECORD_DELETED
from idolchat_core.mirror.storage import MirroredStorage
from idolchat_core.models import Conversation
from idolchat_core.storage import document
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.records import RecordKey

__all__ = ["Comparison", "Difference", "DifferenceKind", "compare", "find_difference"]

AT_ONCE = 8
PATIENCE_S = 30.0


class DifferenceKind(StrEnum):
    """How a mirror differs from the primary."""

    MISSING_IN_MIRROR = "missing_in_mirror"
    MISSING_IN_PRIMARY = "missing_in_primary"
    BEHIND = "behind"
    AHEAD = "ahead"
    DIFFERS = "differs"
    OTHER_HISTORY = "other_history"
    DAMAGED_IN_PRIMARY = "damaged_in_primary"
    DAMAGED_IN_MIRROR = "damaged_in_mirror"
    DELETED = "deleted"


class Difference(BaseModel):
    """One conversation, or record, that is not the same in a mirror."""

    model_config = ConfigDict(frozen=True)

    conversation_id: UUID | None = Field(None, description="which conversation")
    record: str | None = Field(None, description="or which record: `namespace/name`")
    mirror: str = Field(description="name of the mirror")
    kind: DifferenceKind = Field(
        description="`missing_in_mirror`; `missing_in_primary`; `behind` or `ahead`: the mirror holds less or more of"
        " the same history; `differs`: the same messages with other content or fields; `other_history`;"
        " `damaged_in_primary`; `damaged_in_mirror`; `deleted`: here, and not yet there"
    )
    primary_messages: int | None = Field(None, description="how many the primary holds, where it can be read")
    mirror_messages: int | None = Field(None, description="how many the mirror holds, where it can be read")

    @property
    def subject(self) -> Subject:
        """What is not the same."""
        return self.conversation_id or RecordKey(*(self.record or "").split("/", 1))


class Comparison(NamedTuple):
    """How far a comparison has come, and what was found last."""

    done: int
    total: int
    difference: Difference | None


class _Side(NamedTuple):
    data: bytes | None
    is_damaged: bool = False


async def compare(
    storage: MirroredStorage, mirror: Mirror, conversation_ids: Iterable[UUID] | None = None
) -> AsyncGenerator[Comparison]:
    """Compare these conversations (None: all that either side holds, records too). Raises ``StorageUnavailable``."""
    target = await mirror.ask(within_s=PATIENCE_S)
    await mirror.outbox.read()
    chosen: Collection[Subject] = set(conversation_ids or ())
    if conversation_ids is None:
        chosen = [*await _all_ids(storage.primary, target), *await _all_records(storage, target)]
    done = 0
    for batch in batched(chosen, AT_ONCE):
        found = await asyncio.gather(*(find_difference(storage, mirror, subject) for subject in batch))
        for difference in found:
            done += 1
            yield Comparison(done, len(chosen), difference)


async def _all_ids(primary: Storage, target: Storage) -> list[UUID]:
    return sorted({*await primary.list_ids(), *await target.list_ids()})


async def _all_records(storage: MirroredStorage, target: Storage) -> list[RecordKey]:
    namespaces = storage.record_namespaces
    return sorted(await record_keys(storage.primary, namespaces) | await record_keys(target, namespaces))


async def find_difference(storage: MirroredStorage, mirror: Mirror, subject: Subject) -> Difference | None:
    """Compare one conversation, or record. Raises ``StorageUnavailable``."""
    if isinstance(subject, RecordKey):
        return await _difference_of_record(storage, mirror, subject)
    return await _difference_of_conversation(storage, mirror, subject)


async def _difference_of_record(storage: MirroredStorage, mirror: Mirror, key: RecordKey) -> Difference | None:
    mine, theirs = await asyncio.gather(storage.primary.get_record(*key), mirror.connection.get().get_record(*key))
    if mine == theirs:
        return None
    kind = DifferenceKind.DIFFERS
    if theirs is None:
        kind = DifferenceKind.MISSING_IN_MIRROR
    elif mine is None:
        is_deleted = any(note.text.startswith(RECORD_DELETED) for note in mirror.outbox.of(key))
        kind = DifferenceKind.DELETED if is_deleted else DifferenceKind.MISSING_IN_PRIMARY
    return Difference(record=str(key), mirror=mirror.name, kind=kind)


async def _difference_of_conversation(
    storage: MirroredStorage, mirror: Mirror, conversation_id: UUID
) -> Difference | None:
    mine, theirs = await asyncio.gather(
        _read(storage.primary, conversation_id), _read(mirror.connection.get(), conversation_id)
    )
    if mine == theirs:
        return None
    is_noted = bool(mirror.outbox.of(conversation_id))
    found = await asyncio.to_thread(_judged, conversation_id, mine, theirs, is_noted=is_noted)
    if found is None:
        return None
    kind, *counts = found
    return Difference(
        conversation_id=conversation_id,
        mirror=mirror.name,
        kind=kind,
        primary_messages=counts[0],
        mirror_messages=counts[1],
    )


async def _read(storage: Storage, conversation_id: UUID) -> _Side:
    try:
        return _Side(await storage.read_document(conversation_id))
    except ConversationNotFound:
        return _Side(None)
    except ConversationDamaged:
        return _Side(None, is_damaged=True)


def _judged(
    conversation_id: UUID, mine: _Side, theirs: _Side, *, is_noted: bool
) -> tuple[DifferenceKind, int | None, int | None] | None:
    left, left_damaged = _decoded(mine, conversation_id)
    right, right_damaged = _decoded(theirs, conversation_id)
    counts = (_count(left), _count(right))
    if left_damaged:
        return (DifferenceKind.DAMAGED_IN_PRIMARY, *counts)
    if right_damaged:
        return (DifferenceKind.DAMAGED_IN_MIRROR, *counts)
    if left is None:
        return (DifferenceKind.DELETED if is_noted else DifferenceKind.MISSING_IN_PRIMARY, *counts)
    if right is None:
        return (DifferenceKind.MISSING_IN_MIRROR, *counts)
    return None if left == right else (_kind(left, right), *counts)


def _count(conversation: Conversation | None) -> int | None:
    return None if conversation is None else len(conversation.messages)


def _decoded(side: _Side, conversation_id: UUID) -> tuple[Conversation | None, bool]:
    if side.data is None:
        return None, side.is_damaged
    try:
        return document.decode(side.data, conversation_id), False
    except ConversationDamaged:
        return None, True


def _kind(mine: Conversation, theirs: Conversation) -> DifferenceKind:
    left, right = ([str(message.id) for message in side.messages] for side in (mine, theirs))
    if not (left and right) and mine.created_at != theirs.created_at:
        return DifferenceKind.OTHER_HISTORY
    if left == right:
        return DifferenceKind.DIFFERS
    if left[: len(right)] == right:
        return DifferenceKind.BEHIND
    return DifferenceKind.AHEAD if right[: len(left)] == left else DifferenceKind.OTHER_HISTORY
