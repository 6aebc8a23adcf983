"""The storage that the turn engine sees: a primary that is copied to its mirrors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from idolchat_core.errors import ConversationDamaged, ConversationNotFound
from idolchat_core.mirror.consumer import ChangeConsumer, MirrorMode
from idolchat_core.mirror.mirror import Mirror
from idolchat_core.mirror.observer import ObserverFeed
from idolchat_core.mirror.restore import Restorer
from idolchat_core.mirror.server_notes import ServerNotes
from idolchat_core.mirror.status import MirrorStatus
from idolchat_core.mirror.tracked import OBSERVER_TUNING, TrackedStorage
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.models import Conversation
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.fallbacks import documents_of

__all__ = ["MirroredStorage", "open_mirrored"]

_USUAL = MirrorTuning()


class MirroredStorage(TrackedStorage):
    """Made by ``open_mirrored``. Reads and writes are the primary's, and wait for no mirror.

    The exception is a conversation that the primary does not have and a mirror may: it is restored first.
    """

    def __init__(
        self,
        primary: Storage,
        mirrors: Sequence[Mirror],
        feeds: Sequence[ObserverFeed] = (),
        *,
        server: ServerNotes | None = None,
    ) -> None:
        super().__init__(primary, feeds, server=server)
        self.mirrors = mirrors
        self.restoring = Restorer(primary, mirrors, super().consumers)

    @property
    def consumers(self) -> Sequence[ChangeConsumer]:
        """The mirrors, then the others."""
        return (*self.mirrors, *super().consumers)

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

    async def _found[T](self, conversation_id: UUID, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        except ConversationNotFound:
            if not await self.restoring.bring_back(conversation_id):
                raise
            return await call()


@asynccontextmanager
async def open_mirrored(
    primary: Storage,
    factories: Mapping[str, Factory[Storage]],
    *,
    observers: Sequence[str] = (),
    server: ServerNotes | None = None,
    mode: MirrorMode = MirrorMode.REPLICATE,
    tuning: MirrorTuning = _USUAL,
) -> AsyncGenerator[MirroredStorage]:
    """Mirror an open primary to others, by name, until the end; for ``observers`` and ``server``
    see ``open_tracked``.

    A mirror that cannot be reached is opened when it can; one that is not set up rightly raises
    ``ConfigurationError``.
    """
    mirrors = [Mirror(primary, name, factory, mode=mode, tuning=tuning) for name, factory in factories.items()]
    feeds = [ObserverFeed(primary, name, mode=mode, tuning=OBSERVER_TUNING) for name in observers]
    async with AsyncExitStack() as stack:
        for mirror in mirrors:
            await stack.enter_async_context(mirror.running())
        yield MirroredStorage(primary, mirrors, feeds, server=server)
