"""Results of a storage's maintenance: verdicts, repairs, leftovers; and how it is done where nothing is better."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.errors import ConversationDamaged, ConversationNotFound, StorageConflict, StorageUnavailable
from idolchat_core.models import Conversation, utc_now
from idolchat_core.storage.integrity import Issue, issues_of, repaired
from idolchat_core.storage.records import RecordKey

if TYPE_CHECKING:
    from idolchat_core.storage.contract import Storage

__all__ = [
    "ASIDE",
    "REPLACED",
    "Leftover",
    "LeftoverKind",
    "Repair",
    "VerificationResult",
    "damaged_records",
    "forget_aside",
    "keep_aside",
    "old_records",
    "repair_by_putting",
    "repair_of",
    "verification_of",
    "verify_by_reading",
]

ASIDE = "set-aside"
"""Namespace of the records that keep the bytes that a repair replaced."""
REPLACED = "mirror.replaced"
"""Namespace of the records that keep what was replaced in a mirror by another history."""
_AT_ONCE = 16
_PAGE = 1000
_TIME = "%Y%m%dt%H%M%S"
_TIME_DIGITS = len("20260101t000000")


class VerificationResult(BaseModel):
    """What is wrong with a conversation; nothing, mostly. ``message_count`` is how many messages can be read."""

    model_config = ConfigDict(frozen=True)

    conversation_id: UUID
    message_count: int
    issues: tuple[Issue, ...] = ()


class Repair(BaseModel):
    """What was mended in a conversation, or would be; ``kept_as`` says where the bytes are that were there before."""

    model_config = ConfigDict(frozen=True)

    conversation_id: UUID
    message_count: int
    issues: tuple[Issue, ...] = ()
    kept_as: str | None = None


type LeftoverKind = Literal["temporary", "set_aside", "checkpoint", "search"]


class Leftover(BaseModel):
    """Something that nobody needs any more."""

    model_config = ConfigDict(frozen=True)

    kind: LeftoverKind = Field(
        description="temporary: a file whose writer has died; set_aside: bytes that a repair or a crash cut off or"
        " replaced; checkpoint: a reply of a turn whose conversation is gone; search: words of what was deleted"
    )
    place: str
    size_bytes: int
    age_s: float | None = None


def verification_of(conversation: Conversation, *more: Issue) -> VerificationResult:
    """Judge a conversation by itself."""
    return VerificationResult(
        conversation_id=conversation.id,
        message_count=len(conversation.messages),
        issues=(*issues_of(conversation), *more),
    )


async def verify_by_reading(
    storage: Storage, conversation_ids: Iterable[UUID] | None
) -> AsyncGenerator[VerificationResult]:
    """See ``Storage.verify``."""
    chosen = await storage.list_ids() if conversation_ids is None else conversation_ids
    for some in batched(chosen, _AT_ONCE):
        for verdict in await asyncio.gather(*(_judged(storage, conversation_id) for conversation_id in some)):
            if verdict is not None:
                yield verdict


async def _judged(storage: Storage, conversation_id: UUID) -> VerificationResult | None:
    try:
        conversation = await storage.read(conversation_id)
        return await asyncio.to_thread(verification_of, conversation)
    except ConversationNotFound:
        return None
    except ConversationDamaged as error:
        issue = Issue(code="damaged", message=str(error))
    except StorageUnavailable as error:
        issue = Issue(code="unreadable", message=str(error))
    return VerificationResult(conversation_id=conversation_id, message_count=0, issues=(issue,))


async def repair_by_putting(storage: Storage, conversation_id: UUID, *, dry_run: bool) -> Repair:
    """See ``Storage.repair``."""
    conversation = await storage.read(conversation_id)
    issues = tuple(issues_of(conversation))
    kept_as = None
    if issues and not dry_run:
        kept_as = await keep_aside(storage, conversation_id, await storage.read_stored(conversation_id))
        if await storage.read(conversation_id) != conversation:
            raise StorageConflict(f"conversation {conversation_id} is being written to; repair it once more")
        await storage.put(repaired(conversation))
    return repair_of(conversation, issues, kept_as)


def repair_of(conversation: Conversation, issues: Sequence[Issue], kept_as: str | None) -> Repair:
    """Return what was wrong with a conversation that was mended, or would be."""
    count = len(conversation.messages)
    return Repair(conversation_id=conversation.id, message_count=count, issues=tuple(issues), kept_as=kept_as)


async def keep_aside(storage: Storage, conversation_id: UUID, data: bytes) -> str:
    """Keep the bytes of a document that is about to be replaced, as a record, and return its place."""
    name = f"{conversation_id}.{utc_now():{_TIME}}.json"
    await storage.put_record(ASIDE, name, data)
    return f"record {ASIDE}/{name}"


async def forget_aside(storage: Storage, conversation_id: UUID) -> None:
    """Remove what repairs, here and of mirrors, have kept of a conversation. Raises ``StorageUnavailable``."""
    for namespace in (ASIDE, REPLACED):
        for name in await storage.list_records(namespace):
            if name.startswith(f"{conversation_id}."):
                await storage.delete_record(namespace, name)


async def damaged_records(storage: Storage, namespaces: Iterable[str]) -> AsyncGenerator[RecordKey]:
    """Read all records of these namespaces, and yield those that are there and cannot be read."""
    for namespace in namespaces:
        after = ""
        while names := await storage.list_records(namespace, after=after, limit=_PAGE):
            after = names[-1]
            for some in batched(names, _AT_ONCE):
                values = await asyncio.gather(*(storage.get_record(namespace, name) for name in some))
                unread = [name for name, value in zip(some, values, strict=True) if value is None]
                for key in await _still_there(storage, namespace, unread):
                    yield key


async def _still_there(storage: Storage, namespace: str, unread: Collection[str]) -> list[RecordKey]:
    names = set(await storage.list_records(namespace)) if unread else set()
    listed = [name for name in unread if name in names]
    return [RecordKey(namespace, name) for name in listed if await storage.get_record(namespace, name) is None]


async def old_records(storage: Storage, *, older_than: timedelta, dry_run: bool) -> AsyncGenerator[Leftover]:
    """Remove what repairs kept and is old enough."""
    for name in await storage.list_records(ASIDE):
        age = utc_now() - datetime.strptime(name.split(".", 1)[1][:_TIME_DIGITS], _TIME).replace(tzinfo=UTC)
        if age > older_than:
            value = await storage.get_record(ASIDE, name) or b""
            if not dry_run:
                await storage.delete_record(ASIDE, name)
            place = f"record {ASIDE}/{name}"
            yield Leftover(kind="set_aside", place=place, size_bytes=len(value), age_s=age.total_seconds())
