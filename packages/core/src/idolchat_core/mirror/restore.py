"""Brings a conversation back from a mirror when somebody asks for it and the primary does not have it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from idolchat_core.errors import (
    ConversationDamaged,
    ConversationExists,
    ConversationNotFound,
    StorageError,
    StorageUnavailable,
)
from idolchat_core.mirror.consumer import ChangeConsumer
from idolchat_core.mirror.mirror import Mirror
from idolchat_core.models import Conversation
from idolchat_core.storage import document
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.storage.contract import Storage

__all__ = ["Restorer"]

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0


class Restorer:
    """Restores one conversation at a time per id, never in place of something, never what was deleted here."""

    def __init__(self, primary: Storage, mirrors: Sequence[Mirror], observers: Sequence[ChangeConsumer] = ()) -> None:
        self._primary = primary
        self._mirrors = mirrors
        self._observers = observers
        self._running: dict[UUID, asyncio.Task[bool]] = {}

    async def bring_back(self, conversation_id: UUID) -> bool:
        """Restore a conversation if a mirror holds it; tell whether it is there now.

        Raises ``StorageUnavailable`` when a mirror may hold it and cannot be asked.
        """
        mirrors = [mirror for mirror in self._mirrors if mirror.inventory.may_hold(conversation_id)]
        if not mirrors:
            return False
        task = self._running.get(conversation_id)
        if task is None:
            task = asyncio.create_task(self._bring_back(conversation_id, mirrors))
            self._running[conversation_id] = task
            task.add_done_callback(lambda _: self._running.pop(conversation_id))
        return await asyncio.shield(task)

    async def bring_back_from(self, conversation_id: UUID, mirrors: Sequence[Mirror]) -> bool:
        """Restore a conversation that these hold, unless it was deleted here; tell whether it is there now.

        Raises ``StorageError`` when none of them can give it.
        """
        return await self._bring_back(conversation_id, mirrors)

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
        log.info(
            "a conversation was restored",
            extra={"mirror": held_by.name, "conversation_id": str(conversation.id)},
        )

    async def is_deleted(self, conversation_id: UUID) -> bool:
        """Return whether it was deleted here, and some mirror does not know yet. Raises ``StorageUnavailable``."""
        for mirror in self._mirrors:
            await mirror.outbox.read()
        return any(mirror.outbox.of(conversation_id) for mirror in self._mirrors)

    async def _bring_back(self, conversation_id: UUID, mirrors: Sequence[Mirror]) -> bool:
        if await self.is_deleted(conversation_id):
            return False
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


async def _read(mirror: Mirror, conversation_id: UUID) -> Conversation:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            target = await mirror.ask(within_s=TIMEOUT_S)
            data = await target.read_document(conversation_id)
    except (StorageUnavailable, TimeoutError) as error:
        said = f"no answer within {TIMEOUT_S:g} seconds"
        reason = error if isinstance(error, StorageUnavailable) else StorageUnavailable(said)
        mirror.report(reason)
        raise StorageUnavailable(
            f"conversation {conversation_id} is not here, and the mirror {mirror.name}, which may hold it, cannot be"
            f" asked: {reason}. Try again later; a conversation without a given id can be begun"
        ) from error
    except ConversationDamaged as error:
        raise ConversationDamaged(
            f"conversation {conversation_id} is not here, and damaged in the mirror {mirror.name}"
        ) from error
    return await asyncio.to_thread(document.decode, data, conversation_id)
