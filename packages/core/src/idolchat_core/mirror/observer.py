"""Tells one observer of the changes that it has not noted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from idolchat_core.errors import ConversationDamaged, ConversationNotFound
from idolchat_core.mirror.consumer import ChangeConsumer, MirrorMode
from idolchat_core.mirror.outbox import Note, Outbox, Subject
from idolchat_core.mirror.queue import ReplicationQueue, Work
from idolchat_core.mirror.throttle import ThrottleState
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.mirror.worker import Tally
from idolchat_core.storage.changes import GONE, Change, ChangeKind, ChangeObserver
from idolchat_core.storage.contract import Storage

__all__ = ["ObserverFeed"]

log = logging.getLogger(__name__)

TIMEOUT_S = 120.0


class ObserverFeed(ChangeConsumer):
    """What one observer has still to be told of; its notes hold the kind of change."""

    def __init__(self, primary: Storage, name: str, *, mode: MirrorMode, tuning: MirrorTuning) -> None:
        super().__init__(primary, name, namespace=f"changes.{name}", mode=mode, is_mirror=False, tuning=tuning)
        self._telling = _Telling(primary, name, outbox=self.outbox, read_notes=self.read_notes, pending=self._queue)
        self._connect(self._telling)
        self._look_first(self._find_gone)
        self._has_compared = False

    @property
    def failing(self) -> Mapping[str, str]:
        """The tasks that do not do their work now, and whether changes cannot be told, each with what is wrong."""
        count = self._queue.failing
        what = "1 conversation" if count == 1 else f"{count} conversations"
        told = {f"observer {self.name}": f"it fails on {what}; the log says why"} if count else {}
        return {**self._background.failing, **told}

    def _text(self, history: datetime | str | None, kind: ChangeKind) -> str:
        return kind

    @asynccontextmanager
    async def running(self, observer: ChangeObserver) -> AsyncGenerator[None]:
        """Deliver changes to an observer while the context is open, as soon as the storage can be read."""
        self._telling.observer = observer
        async with self._working():
            yield

    async def _find_gone(self) -> None:
        """Search once for conversations that were deleted while this observer was not installed."""
        if self._has_compared:
            return
        known = set(await self._telling.observer.known())
        for conversation_id in known - set(await self._primary.list_ids()) if known else ():
            self._worker.mark(conversation_id, None)
        self._has_compared = True


class _Telling:
    """Compares what is stored with what the observer has recorded, and delivers what differs."""

    observer: ChangeObserver

    def __init__(
        self,
        primary: Storage,
        name: str,
        *,
        outbox: Outbox,
        read_notes: Callable[[], Awaitable[None]],
        pending: ReplicationQueue,
    ) -> None:
        self._primary = primary
        self._read_notes = read_notes
        self._outbox = outbox
        self._queue = pending
        self.tally = Tally()
        self.facts: Mapping[str, str] = {"observer": name}

    async def bring(self, subject: Subject, work: Work) -> bool:
        """Deliver a change, unless the observer has recorded that revision already. Raises what the observer raises."""
        return isinstance(subject, UUID) and await self._tell(subject, work)

    async def _tell(self, conversation_id: UUID, work: Work) -> bool:
        notes = self._outbox.of(conversation_id)  # what is noted later may not be in the revision: it is kept
        held = self._queue.held.pop(conversation_id, None)  # it is asked again where this fails
        try:
            revision, updated_at = await self._stored(conversation_id)
        except ConversationDamaged:
            facts = {**self.facts, "conversation_id": str(conversation_id)}
            log.warning("an observer is not told of a damaged conversation until it is repaired", extra=facts)
            await self._outbox.remove(conversation_id, notes)
            return True
        async with asyncio.timeout(TIMEOUT_S):
            noted = await self.observer.noted(conversation_id) if held is None else _revision_in(held)
            if revision != noted:
                if work.step != (noted, revision):
                    await self._read_notes()  # another process has noted what it did before it did it
                kinds = _kinds_of(self._outbox.of(conversation_id), work, is_gone=revision is None)
                await self.observer.note(Change(conversation_id=conversation_id, revision=revision, kinds=kinds))
        if revision is not None:
            kept = ThrottleState(revision.encode(), 0, updated_at, 0.0, time.monotonic())
            self._queue.keep(conversation_id, kept)
        await self._outbox.remove(conversation_id, notes)
        return True

    async def check(self) -> None:
        """Return at once: an observer is no server that could be down."""

    async def _stored(self, conversation_id: UUID) -> tuple[str | None, datetime | None]:
        try:
            page = await self._primary.read_page(conversation_id, limit=1)
        except ConversationNotFound:
            return None, None
        if page.conversation.status == "damaged":
            raise ConversationDamaged(f"conversation {conversation_id} can be read only in part")
        return page.revision, page.conversation.updated_at


def _revision_in(held: ThrottleState) -> str | None:
    return None if held.digest is None else held.digest.decode()


def _kinds_of(notes: Sequence[Note], work: Work, *, is_gone: bool) -> tuple[ChangeKind, ...]:
    kinds = dict.fromkeys((*(ChangeKind.of(note.text) for note in notes), *work.kinds))
    if is_gone and not GONE & kinds.keys():
        kinds[ChangeKind.DELETED] = None
    return tuple(kinds) or (ChangeKind.CHANGED,)
