"""The storage that the turn engine sees: a primary that is copied to its mirrors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from idolchat_core.errors import ConversationDamaged, ConversationNotFound, StorageUnavailable
from idolchat_core.mirror.forwarding import Forwarding
from idolchat_core.mirror.mirror import Mirror, MirrorMode
from idolchat_core.mirror.outbox import ANY_HISTORY
from idolchat_core.mirror.restore import Restorer
from idolchat_core.mirror.status import MirrorStatus
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.models import Conversation, Message, Page
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.fallbacks import documents_of
from idolchat_core.storage.maintenance import Repair

__all__ = ["MirroredStorage", "open_mirrored"]

_USUAL = MirrorTuning()
_MESSAGE_BYTES = 300
"""What a message takes beside its text."""


class MirroredStorage(Forwarding):
    """Made by ``open_mirrored``. Reads and writes are the primary's, and wait for no mirror.

    The exception is a conversation that the primary does not have and a mirror may: it is restored first.
    """

    def __init__(self, primary: Storage, mirrors: Sequence[Mirror]) -> None:
        super().__init__(primary)
        self.primary = primary
        self.mirrors = mirrors
        self.restoring = Restorer(primary, mirrors)

    @property
    def status(self) -> MirrorStatus:
        """Tell how far the mirrors are behind."""
        return MirrorStatus(mirrors=tuple(mirror.state for mirror in self.mirrors))

    async def has_copied(self) -> None:
        """Wait until the mirrors have all that was changed here, as long as that takes."""
        for mirror in self.mirrors:
            await mirror.has_copied()

    async def create(self, conversation: Conversation) -> None:
        # One that a mirror holds and the primary has lost exists: the primary says so once it is restored.
        await self.restoring.bring_back(conversation.id)
        await self._note_time(conversation.updated_at)
        try:
            await self._primary.create(conversation)
        finally:
            self._changed(conversation.id, conversation.updated_at, conversation.messages)

    async def append(
        self, conversation_id: UUID, messages: Sequence[Message], *, expected_count: int, updated_at: datetime
    ) -> None:
        await self._note_time(updated_at)
        try:
            await self._found(
                conversation_id,
                lambda: self._primary.append(
                    conversation_id, messages, expected_count=expected_count, updated_at=updated_at
                ),
            )
        finally:
            self._changed(conversation_id, updated_at, messages)

    async def update(self, conversation_id: UUID, fields: Mapping[str, Any], *, expected_count: int) -> None:
        await self.read_page(conversation_id, limit=1)  # it is there, or is restored, or there is nothing to note
        await self._note(conversation_id, None)
        try:
            await self._primary.update(conversation_id, fields, expected_count=expected_count)
        finally:
            self._changed(conversation_id, None, ())

    async def replace_message(self, conversation_id: UUID, message: Message) -> None:
        await self.read_page(conversation_id, limit=1)  # as for an update
        await self._note(conversation_id, None)
        try:
            await self._primary.replace_message(conversation_id, message)
        finally:
            self._changed(conversation_id, None, ())

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        return await self._found(
            conversation_id, lambda: self._primary.read_page(conversation_id, limit=limit, before=before)
        )

    async def read(self, conversation_id: UUID) -> Conversation:
        return await self._found(conversation_id, lambda: self._primary.read(conversation_id))

    async def read_document(self, conversation_id: UUID) -> bytes:
        return await self._found(conversation_id, lambda: self._primary.read_document(conversation_id))

    async def read_documents(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, bytes | ConversationDamaged]:
        # One by one, for any may have to be restored first.
        return await documents_of(self, conversation_ids)

    async def put(self, conversation: Conversation) -> None:
        await self._note(conversation.id, await self._history(conversation.id))
        try:
            await self._primary.put(conversation)
        finally:
            self._changed(conversation.id, None, ())

    async def put_document(self, conversation_id: UUID, data: bytes) -> None:
        await self._note(conversation_id, await self._history(conversation_id))
        try:
            await self._primary.put_document(conversation_id, data)
        finally:
            self._changed(conversation_id, None, ())

    async def put_documents(self, documents: Mapping[UUID, bytes]) -> None:
        for conversation_id in documents:
            await self._note(conversation_id, await self._history(conversation_id))
        try:
            await self._primary.put_documents(documents)
        finally:
            for conversation_id in documents:
                self._changed(conversation_id, None, ())

    async def read_stored(self, conversation_id: UUID) -> bytes:
        return await self._found(conversation_id, lambda: self._primary.read_stored(conversation_id))

    async def repair(self, conversation_id: UUID, *, dry_run: bool = False) -> Repair:
        if dry_run:
            return await self._primary.repair(conversation_id, dry_run=True)
        await self._note(conversation_id, None)
        try:
            return await self._primary.repair(conversation_id)
        finally:
            self._changed(conversation_id, None, ())

    async def delete(self, conversation_id: UUID) -> None:
        history = await self._history(conversation_id)
        if history is None:
            raise ConversationNotFound(f"there is no conversation {conversation_id}")
        is_noted = True
        try:
            await self._note(conversation_id, history)
        except StorageUnavailable:
            is_noted = False  # a full disk: what frees space must not need any
        try:
            await self._primary.delete(conversation_id)
            if not is_noted:
                await self._note(conversation_id, history)
        finally:
            self._changed(conversation_id, None, ())

    async def _found[T](self, conversation_id: UUID, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        except ConversationNotFound:
            if not await self.restoring.bring_back(conversation_id):
                raise
            return await call()

    async def _note_time(self, changed_at: datetime) -> None:
        for mirror in self.mirrors:
            if not mirror.will_notice(changed_at):
                await mirror.go_back(changed_at)

    async def _history(self, conversation_id: UUID) -> datetime | str | None:
        """Tell which history is about to be replaced or deleted, in the primary or in a mirror; None for none."""
        try:
            return (await self.read_page(conversation_id, limit=1)).conversation.created_at
        except ConversationNotFound:
            return None
        except ConversationDamaged:
            return ANY_HISTORY

    async def _note(self, conversation_id: UUID, history: datetime | str | None) -> None:
        for mirror in self.mirrors:
            await mirror.outbox.add(conversation_id, history)

    def _changed(self, conversation_id: UUID, changed_at: datetime | None, messages: Sequence[Message]) -> None:
        new_bytes = sum(
            _MESSAGE_BYTES + (len(message.content) if isinstance(message.content, str) else 0) for message in messages
        )
        for mirror in self.mirrors:
            mirror.changed(conversation_id, changed_at, new_bytes=new_bytes)


@asynccontextmanager
async def open_mirrored(
    primary: Storage,
    factories: Mapping[str, Factory[Storage]],
    *,
    mode: MirrorMode = MirrorMode.REPLICATE,
    tuning: MirrorTuning = _USUAL,
) -> AsyncGenerator[MirroredStorage]:
    """Mirror an open primary to others, by name, until the end.

    A mirror that cannot be reached is opened when it can; one that is not set up rightly raises
    ``ConfigurationError``.
    """
    mirrors = [Mirror(primary, name, factory, mode=mode, tuning=tuning) for name, factory in factories.items()]
    async with AsyncExitStack() as stack:
        for mirror in mirrors:
            await stack.enter_async_context(mirror.running())
        yield MirroredStorage(primary, mirrors)
