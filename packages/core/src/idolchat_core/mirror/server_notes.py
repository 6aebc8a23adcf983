"""What commands beside a running server have changed: they note it, and the server acts on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from idolchat_core.errors import ConversationDamaged, ConversationNotFound, StorageError
from idolchat_core.mirror.consumer import ChangeConsumer, MirrorMode
from idolchat_core.mirror.outbox import Note, Outbox, Subject
from idolchat_core.mirror.tuning import MirrorTuning
from idolchat_core.storage.changes import GONE, ChangeKind
from idolchat_core.storage.contract import Storage

__all__ = ["ServerInbox", "ServerNotes"]

log = logging.getLogger(__name__)

NAMESPACE = "server"
LOOK_EVERY_S = 0.25
LOOK_FAR_EVERY_S = 5.0
"""Where each look is a request to another machine."""
_POLL_S = 0.02


type Act = Callable[[UUID, Collection[ChangeKind]], Awaitable[None]]
type Told = Callable[[Collection[UUID]], Awaitable[None]]


class ServerNotes(ChangeConsumer):
    """The side of a command: notes for the server that runs on the same data."""

    def __init__(self, primary: Storage, *, mode: MirrorMode) -> None:
        super().__init__(primary, "server", namespace=NAMESPACE, mode=mode, is_mirror=False, tuning=MirrorTuning())

    def _text(self, history: datetime | str | None, kind: ChangeKind) -> str:
        return kind

    async def note(self, conversation_id: UUID, *, history: datetime | str | None, kind: ChangeKind) -> Note | None:
        """Record a change as every consumer does, unless it begins a conversation."""
        if kind is ChangeKind.IMPORTED and history is None:
            return None
        return await super().note(conversation_id, history=history, kind=kind)

    def changed(self, subject: Subject, changed_at: datetime | None, **facts: object) -> None:
        """Leave it to the note."""

    async def followed(self) -> None:
        """Wait until the server has acted on all that was noted here. Raises ``StorageUnavailable``."""
        mine = {note.name for subject in self.outbox for note in self.outbox.of(subject)}
        while mine & set(await self._primary.list_records(f"{NAMESPACE}.outbox")):  # noqa: ASYNC110  another process
            await asyncio.sleep(_POLL_S)


class ServerInbox:
    """The side of the server: it looks for notes, and drops each when it has acted on it.

    ``told`` waits until observers have followed the changes, too, before the notes are dropped.
    """

    def __init__(self, storage: Storage, told: Told | None = None) -> None:
        self._outbox = Outbox(storage, NAMESPACE)
        self._storage = storage
        self._told = told
        self._pause_s = LOOK_FAR_EVERY_S if storage.is_far else LOOK_EVERY_S

    async def run(self, act: Act) -> None:
        """Read the changes that commands have made, again and again, and apply them."""
        while True:
            await asyncio.sleep(self._pause_s)
            try:
                await self.look(act)
            except StorageError as error:
                log.info("what commands have changed cannot be looked for now", extra={"code": error.code})

    async def deleted(self) -> Sequence[UUID]:
        """Return the conversations that commands have deleted while no server ran. Raises ``StorageUnavailable``."""
        await self._outbox.read()
        noted = [
            one
            for one in self._noted()
            if not GONE.isdisjoint(ChangeKind.of(note.text) for note in self._outbox.of(one))
        ]
        return [one for one in noted if not await self._is_there(one)]

    async def _is_there(self, conversation_id: UUID) -> bool:
        try:
            await self._storage.read_page(conversation_id, limit=1)
        except ConversationNotFound:
            return False
        except ConversationDamaged:
            return True
        return True

    def _noted(self) -> Sequence[UUID]:
        return [one for one in self._outbox if isinstance(one, UUID)]

    async def look(self, act: Act) -> None:
        """Apply what commands have changed since the last call. Raises ``StorageError``."""
        await self._outbox.read()
        followed: dict[UUID, Sequence[Note]] = {}
        for conversation_id in self._noted():
            notes = [note for note in self._outbox.of(conversation_id) if note.is_done]
            if not notes:
                continue
            try:
                await act(conversation_id, {ChangeKind.of(note.text) for note in notes})
            except StorageError as error:
                facts = {"conversation_id": str(conversation_id), "code": error.code}
                log.info("what a command has changed cannot be followed now", extra=facts)
            else:
                followed[conversation_id] = notes
        if followed and self._told is not None:
            await self._told(followed.keys())
        for conversation_id, dropped in followed.items():
            await self._outbox.remove(conversation_id, dropped)
