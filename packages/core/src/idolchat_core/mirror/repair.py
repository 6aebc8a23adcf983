"""Makes primary and mirrors the same: the primary wins, unless a mirror holds more of the same history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import suppress
from itertools import batched
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_core.errors import ConversationDamaged, ConversationNotFound, IdolchatError, StorageConflict
from idolchat_core.mirror.compare import AT_ONCE, Comparison, Difference, DifferenceKind, compare, find_difference
from idolchat_core.mirror.inventory import record_keys
from idolchat_core.mirror.mirror import Mirror
from idolchat_core.mirror.outbox import Subject
from idolchat_core.mirror.storage import MirroredStorage
from idolchat_core.models import Conversation, Message, new_id
from idolchat_core.storage import document
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.maintenance import REPLACED
from idolchat_core.storage.records import RecordKey

__all__ = ["REPLACED", "MirrorRepair", "Restored", "mend", "repair_all", "restore_all"]

_TRIES = 5


class MirrorRepair(BaseModel):
    """What became of a difference; ``code`` and ``message`` say why it is still there."""

    model_config = ConfigDict(frozen=True)

    difference: Difference
    is_mended: bool
    code: str | None = None
    message: str | None = None


class Restored(BaseModel):
    """What only mirrors held; ``code`` and ``message`` say why it could not be brought back."""

    model_config = ConfigDict(frozen=True)

    conversation_id: UUID | None = Field(None, description="which conversation")
    record: str | None = Field(None, description="or which record: `namespace/name`")
    is_restored: bool
    code: str | None = Field(None, description="why not")
    message: str | None = None

    @classmethod
    def of(cls, subject: Subject, error: IdolchatError | None = None, *, is_restored: bool = False) -> Restored:
        """Report what became of a conversation or a record."""
        which = {"record": str(subject)} if isinstance(subject, RecordKey) else {"conversation_id": subject}
        why = {} if error is None else {"code": error.code, "message": str(error)}
        return cls.model_validate({**which, **why, "is_restored": is_restored})


async def mend(storage: MirroredStorage, mirror: Mirror, difference: Difference) -> MirrorRepair:
    """Mend one difference. Others may write meanwhile: what they write is copied too."""
    try:
        await _mend(storage, mirror, difference)
        is_mended = await find_difference(storage, mirror, difference.subject) is None
    except IdolchatError as error:
        return MirrorRepair(difference=difference, is_mended=False, code=error.code, message=str(error))
    if is_mended:
        return MirrorRepair(difference=difference, is_mended=True)
    code = "damaged" if difference.kind is DifferenceKind.DAMAGED_IN_PRIMARY else "still_different"
    return MirrorRepair(difference=difference, is_mended=False, code=code, message="it still differs")


async def restore_all(storage: MirroredStorage, *, dry_run: bool = False) -> AsyncGenerator[tuple[int, int, Restored]]:
    """Restore everything that only mirrors hold; yield how many of how many are done, and the last.

    Raises ``StorageUnavailable`` when a mirror cannot tell what it holds.
    """
    namespaces = storage.record_namespaces
    held = {mirror.name: await _held(await mirror.ask(within_s=30), namespaces) for mirror in storage.mirrors}
    missing = sorted(set().union(*held.values()) - await _held(storage.primary, namespaces), key=str)
    missing = [subject for subject in missing if not await storage.restoring.is_deleted(subject)]
    done, is_whole = 0, True
    for batch in batched(missing, AT_ONCE):
        for restored in await asyncio.gather(*(_restored(storage, one, held, dry_run=dry_run) for one in batch)):
            done += 1
            is_whole = is_whole and (restored.is_restored or dry_run)
            yield done, len(missing), restored
    if not dry_run and is_whole:
        for mirror in storage.mirrors:
            await mirror.inventory.survey(mirror.connection.get(), mirror.outbox)


async def _held(storage: Storage, namespaces: Collection[str]) -> set[Subject]:
    return {*await storage.list_ids(), *await record_keys(storage, namespaces)}


async def _restored(
    storage: MirroredStorage, subject: Subject, held: Mapping[str, Collection[Subject]], *, dry_run: bool
) -> Restored:
    if dry_run:
        return Restored.of(subject)
    try:
        mirrors = [mirror for mirror in storage.mirrors if subject in held[mirror.name]]
        is_there = await storage.restoring.bring_back_from(subject, mirrors)
    except IdolchatError as error:
        return Restored.of(subject, error)
    return Restored.of(subject, is_restored=is_there)


async def _mend(storage: MirroredStorage, mirror: Mirror, difference: Difference) -> None:
    if isinstance(difference.subject, RecordKey):
        await _mend_record(storage, mirror, difference.subject, difference.kind)
        return
    primary, target, conversation_id = storage.primary, mirror.connection.get(), difference.subject
    match difference.kind:
        case DifferenceKind.MISSING_IN_PRIMARY:
            await storage.restoring.bring_back_from(conversation_id, [mirror])
        case DifferenceKind.DELETED:
            notes = mirror.outbox.of(conversation_id)
            with suppress(ConversationNotFound):  # a server that runs was faster
                await target.delete(conversation_id)
            await mirror.outbox.remove(conversation_id, notes)
        case DifferenceKind.DAMAGED_IN_PRIMARY:
            await _heal(storage, target, conversation_id)
        case DifferenceKind.AHEAD:
            await _catch_up(storage, target, conversation_id)
            await _copy(primary, target, conversation_id)
        case DifferenceKind.OTHER_HISTORY:
            await _keep_aside(primary, target, conversation_id)
            await _copy(primary, target, conversation_id)
        case _:
            await _copy(primary, target, conversation_id)


async def _mend_record(storage: MirroredStorage, mirror: Mirror, key: RecordKey, kind: DifferenceKind) -> None:
    target, notes = mirror.connection.get(), mirror.outbox.of(key)
    if kind is DifferenceKind.MISSING_IN_PRIMARY:
        await storage.restoring.bring_back_from(key, [mirror])
    elif kind is DifferenceKind.DELETED:
        await target.delete_record(*key)
        await mirror.outbox.remove(key, notes)
    elif (value := await storage.primary.get_record(*key)) is not None:
        await target.put_record(*key, value)


async def _copy(primary: Storage, target: Storage, conversation_id: UUID) -> None:
    """Copy until what was sent last is what the primary holds, though a server may be writing."""
    for _ in range(_TRIES):
        data = await primary.read_document(conversation_id)
        await target.put_document(conversation_id, data)
        if await primary.read_document(conversation_id) == data:
            return
    raise StorageConflict(f"conversation {conversation_id} is being written to; run this again")


async def _catch_up(storage: MirroredStorage, target: Storage, conversation_id: UUID) -> None:
    """Add what the mirror holds more of the same history to the primary, as a turn would."""
    theirs = await _whole(target, conversation_id)
    mine = await storage.primary.read_page(conversation_id, limit=1)
    new = theirs.messages[mine.total :]
    await storage.append(
        conversation_id, new, expected_count=mine.total, updated_at=theirs.updated_at, head=theirs.head
    )


async def _heal(storage: MirroredStorage, target: Storage, conversation_id: UUID) -> None:
    """Replace a damaged document by the mirror's, if that holds all that can be read of it."""
    theirs = await _whole(target, conversation_id)
    try:
        readable = (await storage.primary.read(conversation_id)).messages
    except ConversationDamaged:
        readable = ()
    if [str(message.id) for message in readable] != [str(m.id) for m in theirs.messages[: len(readable)]]:
        raise ConversationDamaged(
            f"conversation {conversation_id} is damaged, and what can be read of it is not all in the mirror;"
            " `idol storage repair` keeps what can be read"
        )
    await storage.put(_without_deleted(theirs, readable))


def _without_deleted(theirs: Conversation, mine: Sequence[Message]) -> Conversation:
    """Return what a mirror holds with the messages that were deleted here as they are here: without text."""
    deleted = {message.id: message for message in mine if message.deleted_at is not None}
    messages = tuple([deleted.get(message.id, message) for message in theirs.messages])
    return theirs.model_copy(update={"messages": messages})


async def _keep_aside(primary: Storage, target: Storage, conversation_id: UUID) -> None:
    mine, theirs = await primary.read(conversation_id), await _whole(target, conversation_id)
    kept = _without_deleted(theirs, mine.messages)
    data = await target.read_stored(conversation_id) if kept == theirs else document.encode(kept)
    await primary.put_record(REPLACED, f"{conversation_id}.{new_id().hex}", data)


async def _whole(target: Storage, conversation_id: UUID) -> Conversation:
    data = await target.read_document(conversation_id)
    return await asyncio.to_thread(document.decode, data, conversation_id)


async def repair_all(
    storage: MirroredStorage, mirror: Mirror, *, dry_run: bool = False, mine_only: bool = False
) -> AsyncGenerator[tuple[Comparison, MirrorRepair | None]]:
    """Compare everything and mend what differs; with ``mine_only``, leave what only the mirror holds."""
    async for compared in compare(storage, mirror):
        difference = compared.difference
        if difference is None or (mine_only and difference.kind is DifferenceKind.MISSING_IN_PRIMARY):
            yield compared, None
        elif dry_run:
            yield compared, MirrorRepair(difference=difference, is_mended=False)
        else:
            yield compared, await mend(storage, mirror, difference)
