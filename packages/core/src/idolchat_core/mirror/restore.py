"""Restores a conversation or a record from a mirror when it is asked for and the primary does not have it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from idolchat_core.errors import (
    ConversationDamaged,
    ConversationExists,
    ConversationNotFound,
    StorageConflict,
    StorageError,
    StorageUnavailable,
)
from idolchat_core.mirror.consumer import ChangeConsumer
from idolchat_core.mirror.mirror import Mirror
from idolchat_core.mirror.outbox import Note, Subject, about
from idolchat_core.mirror.replicator import RECORD_PUT
from idolchat_core.models import Conversation
from idolchat_core.storage import document
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.records import NO_RECORD, RecordKey

__all__ = ["Restorer"]

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0


class Restorer:
    """Restores one at a time per id or record, never in place of something, never what was deleted here."""

    def __init__(self, primary: Storage, mirrors: Sequence[Mirror], observers: Sequence[ChangeConsumer] = ()) -> None:
        self._primary = primary
        self._mirrors = mirrors
        self._observers = observers
        self._running: dict[Subject, asyncio.Task[bool]] = {}

    async def bring_back(self, subject: Subject) -> bool:
        """Restore a conversation, or a record, if a mirror holds it; return whether it is there now.

        Raises ``StorageUnavailable`` when a mirror may hold it and cannot be asked.
        """
        mirrors = [mirror for mirror in self._mirrors if mirror.inventory.may_hold(subject)]
        if not mirrors:
            return False
        task = self._running.get(subject)
        if task is None:
            task = asyncio.create_task(self.bring_back_from(subject, mirrors))
            self._running[subject] = task
            task.add_done_callback(lambda _: self._running.pop(subject))
        return await asyncio.shield(task)

    async def bring_back_from(self, subject: Subject, mirrors: Sequence[Mirror]) -> bool:
        """Restore what these hold, unless it was deleted here; return whether it is there now.

        Raises ``StorageError`` when none of them can give it.
        """
        if await self.is_deleted(subject):
            return False
        if isinstance(subject, RecordKey):
            return await self._bring_record_back(subject, mirrors)
        return await self._bring_back(subject, mirrors)

    async def restore(self, conversation: Conversation, *, held_by: Mirror) -> None:
        """Store what a mirror holds, unless something is there; all others get it too."""
        others = [one for one in (*self._mirrors, *self._observers) if one is not held_by]
        notes = [await one.note(conversation.id, history=None, kind=ChangeKind.RESTORED) for one in others]
        try:
            await self._primary.create(conversation)
        except ConversationExists:
            return
        finally:
            for one, note in zip(others, notes, strict=True):
                if note is not None:
                    await one.settle(conversation.id, note)
                one.changed(conversation.id, None)
        for mirror in self._mirrors:
            mirror.inventory.discard(conversation.id)
        log.info("a conversation was restored", extra={"mirror": held_by.name, **about(conversation.id)})

    async def is_deleted(self, subject: Subject) -> bool:
        """Return whether it was deleted here, and some mirror does not know yet. Raises ``StorageUnavailable``."""
        for mirror in self._mirrors:
            await mirror.outbox.read()
        return any(mirror.outbox.of(subject) for mirror in self._mirrors)

    async def _bring_record_back(self, key: RecordKey, mirrors: Sequence[Mirror]) -> bool:
        errors: list[StorageError] = []
        for mirror in mirrors:
            try:
                value = await _read_record(mirror, key)
            except StorageError as error:
                errors.append(error)
                continue
            if value is not None:
                await self._restore_record(key, value, held_by=mirror)
                return True
            mirror.inventory.discard(key)
        if errors:
            raise errors[0]
        return False

    async def _restore_record(self, key: RecordKey, value: bytes, *, held_by: Mirror) -> None:
        others = [one for one in self._mirrors if one is not held_by]
        notes: list[Note] = [await one.outbox.add(key, RECORD_PUT) for one in others]
        try:
            await self._primary.put_record(*key, value, if_version=NO_RECORD)
        except StorageConflict:
            return  # somebody has just made it
        finally:
            for one, note in zip(others, notes, strict=True):
                await one.settle(key, note)
                one.changed(key, None)
        for mirror in self._mirrors:
            mirror.inventory.discard(key)
        log.info("a record was restored", extra={"mirror": held_by.name, **about(key)})

    async def _bring_back(self, conversation_id: UUID, mirrors: Sequence[Mirror]) -> bool:
        found: list[tuple[Mirror, Conversation]] = []
        errors: list[StorageError] = []
        for mirror in mirrors:
            try:
                found.append((mirror, await _read(mirror, conversation_id)))
            except ConversationNotFound:
                mirror.inventory.discard(conversation_id)
            except StorageError as error:
                errors.append(error)
        if not found and errors:
            raise errors[0]
        if not found:
            return False
        mirror, conversation = max(found, key=lambda one: len(one[1].messages))
        await self.restore(conversation, held_by=mirror)
        return True


@asynccontextmanager
async def _asking(mirror: Mirror, what: str, advice: str) -> AsyncGenerator[Storage]:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield await mirror.ask(within_s=TIMEOUT_S)
    except (StorageUnavailable, TimeoutError) as error:
        said = f"no answer within {TIMEOUT_S:g} seconds"
        reason = error if isinstance(error, StorageUnavailable) else StorageUnavailable(said)
        mirror.report(reason)
        raise StorageUnavailable(
            f"{what} is not here, and the mirror {mirror.name}, which may hold it, cannot be"
            f" asked: {reason}. Try again later{advice}"
        ) from error


async def _read_record(mirror: Mirror, key: RecordKey) -> bytes | None:
    async with _asking(mirror, f"record {key}", "") as target:
        return await target.get_record(*key)


async def _read(mirror: Mirror, conversation_id: UUID) -> Conversation:
    advice = "; a conversation without a given id can be begun"
    try:
        async with _asking(mirror, f"conversation {conversation_id}", advice) as target:
            data = await target.read_document(conversation_id)
    except ConversationDamaged as error:
        raise ConversationDamaged(
            f"conversation {conversation_id} is not here, and damaged in the mirror {mirror.name}"
        ) from error
    return await asyncio.to_thread(document.decode, data, conversation_id)
