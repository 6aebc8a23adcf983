"""A storage whose changes are noted for mirrors and observers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from idolchat_core.errors import ConversationDamaged, ConversationNotFound, StorageUnavailable
from idolchat_core.mirror.consumer import ChangeConsumer, MirrorMode
from idolchat_core.mirror.forwarding import Forwarding
from idolchat_core.mirror.observer import ObserverFeed
from idolchat_core.mirror.outbox import ANY_HISTORY, Note
from idolchat_core.mirror.queue import Step
from idolchat_core.mirror.server_notes import ServerNotes
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.models import Conversation, Message, Page, StoredId
from idolchat_core.storage import document
from idolchat_core.storage.changes import ChangeKind, ChangeObserver, current_kind
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.expectations import check_revision
from idolchat_core.storage.maintenance import Repair

__all__ = ["OBSERVER_TUNING", "TrackedStorage", "open_tracked"]

type _Notes = list[tuple[ChangeConsumer, UUID, Note]]

OBSERVER_TUNING = MirrorTuning(settle_s=0.1)
_MESSAGE_BYTES = 300
"""What a message takes beside its text."""


class TrackedStorage(Forwarding):
    """Made by ``open_tracked``. Reads and writes are the primary's; what they change is noted for each consumer."""

    def __init__(self, primary: Storage, feeds: Sequence[ObserverFeed], *, server: ServerNotes | None = None) -> None:
        super().__init__(primary)
        self.primary = primary
        self.feeds = feeds
        self.consumers: Sequence[ChangeConsumer] = (*feeds, *([server] if server is not None else ()))
        """Everyone who is to learn of changes."""

    @property
    def failing(self) -> Mapping[str, str]:
        """The background tasks that do not do their work now, each with what is wrong."""
        return {name: why for consumer in self.consumers for name, why in consumer.failing.items()}

    async def told(self, conversation_ids: Iterable[UUID], *, within_s: float) -> None:
        """Wait until observers have followed all that happened to conversations; what takes longer is queued."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                for conversation_id in conversation_ids:
                    for feed in self.feeds:
                        await feed.has_passed_on(conversation_id)

    async def told_by_others(self, conversation_ids: Iterable[UUID], *, within_s: float) -> None:
        """Wait, as ``told`` does, for what other processes have done. Raises ``StorageUnavailable``."""
        for feed in self.feeds:
            await feed.read_notes()
        await self.told(conversation_ids, within_s=within_s)

    @asynccontextmanager
    async def telling(self, observers: Mapping[str, ChangeObserver]) -> AsyncGenerator[None]:
        """Deliver changes to observers, given by name, while the context is open."""
        async with AsyncExitStack() as stack:
            for feed in self.feeds:
                await stack.enter_async_context(feed.running(observers[feed.name]))
            yield

    async def create(self, conversation: Conversation) -> str:
        step: Step | None = None
        kind, notes = await self._appending(conversation.id, conversation.updated_at)
        try:
            revision = await self._primary.create(conversation)
            step = None, revision
        finally:
            self._changed(
                conversation.id,
                conversation.updated_at,
                conversation.messages,
                kind=kind,
                is_new=step is not None,
                step=step,
            )
            await _settle(notes)
        return revision

    async def create_document(self, conversation_id: UUID, data: bytes) -> None:
        await self.create(await asyncio.to_thread(document.decode, data, conversation_id))

    async def append(
        self,
        conversation_id: UUID,
        messages: Sequence[Message],
        *,
        expected_count: int,
        updated_at: datetime,
        head: StoredId | None = None,
        expected_revision: str | None = None,
    ) -> str | None:
        step: Step | None = None
        kind, notes = await self._appending(conversation_id, updated_at)
        try:
            revision = await self._found(
                conversation_id,
                partial(
                    self._primary.append,
                    conversation_id,
                    messages,
                    expected_count=expected_count,
                    updated_at=updated_at,
                    head=head,
                    expected_revision=expected_revision,
                ),
            )
            if expected_revision is not None and revision is not None:
                step = expected_revision, revision
        finally:
            self._changed(conversation_id, updated_at, messages, kind=kind, step=step)
            if notes:
                await _settle(notes)
        return revision

    async def update(
        self,
        conversation_id: UUID,
        fields: Mapping[str, Any],
        *,
        expected_count: int,
        expected_revision: str | None = None,
    ) -> str:
        await self.read_page(conversation_id, limit=1)  # it is there, or is restored, or there is nothing to note
        kind = current_kind(ChangeKind.HEAD_MOVED if "head" in fields else ChangeKind.CHANGED)
        async with self._noting({conversation_id: None}, kind):
            return await self._primary.update(
                conversation_id, fields, expected_count=expected_count, expected_revision=expected_revision
            )

    async def replace_message(self, conversation_id: UUID, message: Message) -> None:
        await self.read_page(conversation_id, limit=1)  # as for an update
        async with self._noting({conversation_id: None}, current_kind(ChangeKind.MESSAGE_DELETED)):
            await self._primary.replace_message(conversation_id, message)

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        return await self._found(
            conversation_id, lambda: self._primary.read_page(conversation_id, limit=limit, before=before)
        )

    async def read(self, conversation_id: UUID) -> Conversation:
        return await self._found(conversation_id, lambda: self._primary.read(conversation_id))

    async def read_document(self, conversation_id: UUID) -> bytes:
        return await self._found(conversation_id, lambda: self._primary.read_document(conversation_id))

    async def read_revised(self, conversation_id: UUID) -> tuple[bytes, str]:
        return await self._found(conversation_id, lambda: self._primary.read_revised(conversation_id))

    async def read_documents(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, bytes | ConversationDamaged]:
        return await self._primary.read_documents(conversation_ids)

    async def put(self, conversation: Conversation) -> None:
        async with self._replacing((conversation.id,)):
            await self._primary.put(conversation)

    async def put_document(self, conversation_id: UUID, data: bytes) -> None:
        async with self._replacing((conversation_id,)):
            await self._primary.put_document(conversation_id, data)

    async def put_documents(self, documents: Mapping[UUID, bytes]) -> None:
        async with self._replacing(documents):
            await self._primary.put_documents(documents)

    async def read_stored(self, conversation_id: UUID) -> bytes:
        return await self._found(conversation_id, lambda: self._primary.read_stored(conversation_id))

    async def repair(self, conversation_id: UUID, *, dry_run: bool = False) -> Repair:
        if dry_run:
            return await self._primary.repair(conversation_id, dry_run=True)
        async with self._noting({conversation_id: None}, current_kind(ChangeKind.REPAIRED)):
            return await self._primary.repair(conversation_id)

    async def delete(self, conversation_id: UUID, *, expected_revision: str | None = None) -> None:
        if expected_revision is not None:  # what will not be deleted is not noted as deleted
            page = await self.read_page(conversation_id, limit=1)
            check_revision(conversation_id, page.revision, expected_revision)
        history = await self._history(conversation_id)
        if history is None:
            raise ConversationNotFound(f"there is no conversation {conversation_id}")
        kind = current_kind(ChangeKind.DELETED)
        async with AsyncExitStack() as noted:
            is_noted = True
            try:
                await noted.enter_async_context(self._noting({conversation_id: history}, kind))
            except StorageUnavailable:
                is_noted = False  # a full disk: what frees space must not need any
            await self._primary.delete(conversation_id, expected_revision=expected_revision)
            if not is_noted:
                await noted.enter_async_context(self._noting({conversation_id: history}, kind))

    async def _found[T](self, conversation_id: UUID, call: Callable[[], Awaitable[T]]) -> T:
        """Call the primary about a conversation, which a subclass may restore."""
        return await call()

    async def _appending(self, conversation_id: UUID, updated_at: datetime) -> tuple[ChangeKind, _Notes]:
        """Record what would not be found after a crash; the caller marks the change, and settles what is returned."""
        kind = current_kind(ChangeKind.STORED)
        notes: _Notes = []
        for consumer in self.consumers:
            if not consumer.finds(updated_at):
                note = await consumer.note_time(conversation_id, updated_at, kind=kind)
                if note is not None:
                    notes.append((consumer, conversation_id, note))
        return kind, notes

    @asynccontextmanager
    async def _replacing(self, conversation_ids: Iterable[UUID]) -> AsyncGenerator[None]:
        histories = {one: await self._history(one) for one in conversation_ids}
        async with self._noting(histories, current_kind(ChangeKind.IMPORTED)):
            yield

    @asynccontextmanager
    async def _noting(self, histories: Mapping[UUID, datetime | str | None], kind: ChangeKind) -> AsyncGenerator[None]:
        """Record a change of conversations before it is made, each with the history that it replaces or deletes."""
        notes: _Notes = []
        for conversation_id, history in histories.items():
            for consumer in self.consumers:
                note = await consumer.note(conversation_id, history=history, kind=kind)
                if note is not None:
                    notes.append((consumer, conversation_id, note))
        try:
            yield
        finally:
            await _settle(notes)
            for conversation_id in histories:
                self._changed(conversation_id, None, ())

    async def _history(self, conversation_id: UUID) -> datetime | str | None:
        """Return which history is about to be replaced or deleted, in the primary or in a mirror; None for none."""
        try:
            return (await self.read_page(conversation_id, limit=1)).conversation.created_at
        except ConversationNotFound:
            return None
        except ConversationDamaged:
            return ANY_HISTORY

    def _changed(
        self,
        conversation_id: UUID,
        changed_at: datetime | None,
        messages: Sequence[Message],
        *,
        kind: ChangeKind | None = None,
        is_new: bool = False,
        step: Step | None = None,
    ) -> None:
        new_bytes = sum(
            [_MESSAGE_BYTES + (len(message.content) if isinstance(message.content, str) else 0) for message in messages]
        )
        awaits_reply = bool(messages) and messages[-1].role != "assistant"
        for consumer in self.consumers:
            consumer.changed(
                conversation_id,
                changed_at,
                kind=kind,
                new_bytes=new_bytes,
                is_new=is_new,
                awaits_reply=awaits_reply,
                step=step,
            )


async def _settle(notes: Sequence[tuple[ChangeConsumer, UUID, Note]]) -> None:
    for consumer, conversation_id, note in notes:
        await consumer.settle(conversation_id, note)


def open_tracked(
    primary: Storage, observers: Sequence[str], *, mode: MirrorMode, server: ServerNotes | None = None
) -> TrackedStorage:
    """Record the changes of a primary for observers, by name (see ``telling``), and for a running server."""
    feeds = [ObserverFeed(primary, name, mode=mode, tuning=OBSERVER_TUNING) for name in observers]
    return TrackedStorage(primary, feeds, server=server)
