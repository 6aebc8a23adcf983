"""The storage that the turn engine sees: a primary that is copied to its mirrors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from uuid import UUID

from idolchat_core.coordination.contract import Bus, Coordination, Instance, SharedStorage
from idolchat_core.errors import ConversationDamaged, ConversationNotFound, StorageUnavailable
from idolchat_core.mirror.consumer import MirrorMode
from idolchat_core.mirror.mirror import Mirror
from idolchat_core.mirror.observer import ObserverFeed
from idolchat_core.mirror.outbox import Note
from idolchat_core.mirror.replicator import RECORD_DELETED, RECORD_PUT
from idolchat_core.mirror.restore import Restorer
from idolchat_core.mirror.server_notes import ServerNotes
from idolchat_core.mirror.shared_mirror import SharedMirror
from idolchat_core.mirror.status import MirrorStatus
from idolchat_core.mirror.tracked import OBSERVER_TUNING, TrackedStorage
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.models import Conversation
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.changes import StoredChanges
from idolchat_core.storage.contract import Storage, check_record_name
from idolchat_core.storage.fallbacks import documents_of
from idolchat_core.storage.records import NO_RECORD, Record, RecordKey

__all__ = ["MirroredStorage", "open_mirrored"]

_USUAL = MirrorTuning()


class MirroredStorage(TrackedStorage):
    """Made by ``open_mirrored``. Reads and writes are the primary's, and wait for no mirror.

    The exception is a conversation, or a record of ``record_namespaces``, that the primary does not have and a mirror
    may: it is restored first. Changes of such records are noted for the mirrors.
    """

    def __init__(
        self,
        primary: Storage,
        mirrors: Sequence[Mirror],
        feeds: Sequence[ObserverFeed] = (),
        *,
        records: Collection[str] = (),
        server: ServerNotes | None = None,
    ) -> None:
        super().__init__(primary, feeds, server=server)
        self.mirrors = mirrors
        self.record_namespaces = frozenset(records)
        self.restoring = Restorer(primary, mirrors, self.consumers)
        self.consumers = (*mirrors, *self.consumers)

    @property
    def status(self) -> MirrorStatus:
        """How far the mirrors are behind."""
        return MirrorStatus(mirrors=tuple(mirror.state for mirror in self.mirrors))

    async def has_copied(self) -> None:
        """Wait until the mirrors have all that was changed here, as long as that takes."""
        for mirror in self.mirrors:
            await mirror.has_copied()

    async def create(self, conversation: Conversation) -> str:
        # One that a mirror holds and the primary has lost exists: the primary says so once it is restored.
        await self.restoring.bring_back(conversation.id)
        return await super().create(conversation)

    async def read_documents(self, conversation_ids: Collection[UUID]) -> Mapping[UUID, bytes | ConversationDamaged]:
        # One by one, for any may have to be restored first.
        return await documents_of(self, conversation_ids)

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        return await self._found_record(namespace, name, lambda: self._primary.get_record(namespace, name))

    async def read_record(self, namespace: str, name: str) -> Record | None:
        return await self._found_record(namespace, name, lambda: self._primary.read_record(namespace, name))

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        check_record_name(namespace, name)
        key = RecordKey(namespace, name)
        if if_version == NO_RECORD and namespace in self.record_namespaces:
            await self.restoring.bring_back(key)
        async with self._noting_record(key, RECORD_PUT):
            return await self._primary.put_record(namespace, name, value, durable=durable, if_version=if_version)

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        check_record_name(namespace, name)
        key = RecordKey(namespace, name)
        async with AsyncExitStack() as noted:
            is_noted = True
            try:
                await noted.enter_async_context(self._noting_record(key, RECORD_DELETED))
            except StorageUnavailable:
                is_noted = False  # a full disk: what frees space must not need any
            await self._primary.delete_record(namespace, name, if_version=if_version)
            if not is_noted:
                await noted.enter_async_context(self._noting_record(key, RECORD_DELETED))

    async def _found_record[T](self, namespace: str, name: str, call: Callable[[], Awaitable[T | None]]) -> T | None:
        value = await call()
        if value is None and namespace in self.record_namespaces:
            return await call() if await self.restoring.bring_back(RecordKey(namespace, name)) else None
        return value

    @asynccontextmanager
    async def _noting_record(self, key: RecordKey, kind: str) -> AsyncGenerator[None]:
        """Write the change of a record to the mirrors' outboxes before it is made."""
        notes: list[tuple[Mirror, Note]] = []
        if key.namespace in self.record_namespaces:
            notes = [(mirror, await mirror.outbox.add(key, kind)) for mirror in self.mirrors]
        try:
            yield
        finally:
            for mirror, note in notes:
                await mirror.settle(key, note)
                mirror.changed(key, None)

    async def _found[T](self, conversation_id: UUID, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        except ConversationNotFound:
            if not await self.restoring.bring_back(conversation_id):
                raise
            return await call()


class SharedMirroredStorage(MirroredStorage, SharedStorage):
    """A primary that several processes share, one of which copies it to each mirror."""

    def __init__(self, primary: SharedStorage, mirrors: Sequence[Mirror], *, records: Collection[str]) -> None:
        super().__init__(primary, mirrors, records=records)
        self._shared = primary

    def open_coordination(self, bus: Bus | None = None) -> AbstractAsyncContextManager[Coordination]:
        return self._shared.open_coordination(bus)

    async def instances(self) -> Sequence[Instance]:
        return await self._shared.instances()

    def changes(self, since: str | None) -> AsyncGenerator[StoredChanges]:
        return self._shared.changes(since)

    async def is_chosen(self, task: str) -> bool:
        return await self._shared.is_chosen(task)


@asynccontextmanager
async def open_mirrored(
    primary: Storage,
    factories: Mapping[str, Factory[Storage]],
    *,
    records: Collection[str] = (),
    observers: Sequence[str] = (),
    server: ServerNotes | None = None,
    mode: MirrorMode = MirrorMode.REPLICATE,
    tuning: MirrorTuning = _USUAL,
) -> AsyncGenerator[MirroredStorage]:
    """Mirror an open primary to others, by name, until the end; for ``observers`` and ``server``
    see ``open_tracked``; a primary that several processes share tells those itself. ``records`` are the namespaces of
    records that the mirrors are to have.

    A mirror that cannot be reached is opened when it can; one that is not set up rightly raises
    ``ConfigurationError``.
    """
    async with AsyncExitStack() as stack:
        if isinstance(primary, SharedStorage):
            shared = [
                SharedMirror(primary, name, factory, records=records, mode=mode, tuning=tuning)
                for name, factory in factories.items()
            ]
            for one in shared:
                await stack.enter_async_context(one.running())
            yield SharedMirroredStorage(primary, shared, records=records)
            return
        mirrors = [
            Mirror(primary, name, factory, records=records, mode=mode, tuning=tuning)
            for name, factory in factories.items()
        ]
        feeds = [ObserverFeed(primary, name, mode=mode, tuning=OBSERVER_TUNING) for name in observers]
        for mirror in mirrors:
            await stack.enter_async_context(mirror.running())
        yield MirroredStorage(primary, mirrors, feeds, records=records, server=server)
