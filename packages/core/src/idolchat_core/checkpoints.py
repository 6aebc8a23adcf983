"""What keeps a turn through a crash of ours: its reply so far, or its message while it waits.

They are records beside the conversations, gone when the turn's messages are in the document.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from idolchat_core.errors import StorageError
from idolchat_core.live import LiveTurn
from idolchat_core.models import Message, StoredId
from idolchat_core.storage import Storage

__all__ = ["EVERY_S", "Checkpoints", "UnfinishedTurn", "unfinished"]

log = logging.getLogger(__name__)

NAMESPACE = "turns"
EVERY_S = 0.5
"""How often running replies are saved: less than the one second of text that a crash may cost."""


class UnfinishedTurn(BaseModel):
    """A turn that is not in its conversation yet.

    ``messages`` are the user's, of a turn that waits; without any, the turn answers ``user_message_id``.
    """

    model_config = ConfigDict(frozen=True)

    turn_id: UUID
    conversation_id: UUID
    user_id: StoredId | None = None
    character_id: StoredId | None = None
    user_message_id: StoredId
    message_id: StoredId
    model: str | None = None
    content: str = ""
    fields: dict[str, Any] = {}
    messages: tuple[Message, ...] = ()


class Checkpoints:
    """Saves unfinished turns and drops them once they are in the document."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._saved: dict[UUID, int] = {}
        self._writing = asyncio.Lock()
        self._dropping: set[asyncio.Task[None]] = set()
        self._undropped: set[UUID] = set()

    async def save(self, turn: UnfinishedTurn, *, durable: bool) -> None:
        """Write one down. Raises ``StorageUnavailable``; it may be written all the same, so it is to be dropped."""
        self._saved.setdefault(turn.turn_id, 0)
        value = turn.model_dump_json(exclude_unset=True).encode()
        async with self._writing:
            if turn.turn_id in self._saved:
                await self._storage.put_record(NAMESPACE, str(turn.turn_id), value, durable=durable)
                self._saved[turn.turn_id] = len(turn.content)

    async def save_running(self, turns: Iterable[LiveTurn]) -> None:
        """Save those that have said something new; that the disk refuses it does not stop them."""
        for live in list(turns):
            content = live.reply.content
            if not content or self._saved.get(live.turn_id) == len(content) or live.is_over:
                continue
            try:
                await self.save(unfinished(live), durable=False)
            except StorageError as error:
                log.warning("a running reply cannot be saved", extra={"turn_id": str(live.turn_id), "code": error.code})

    async def load(self) -> list[UnfinishedTurn]:
        """Read those that a crash has left, in the order in which they are to be stored.

        Those that were running come first: the others waited for them. One that cannot be read is left where it is.
        Raises ``StorageUnavailable`` when it cannot be told which there are.
        """
        turns = []
        for name in await self._storage.list_records(NAMESPACE):
            try:
                value = await self._storage.get_record(NAMESPACE, name)
                turn = UnfinishedTurn.model_validate_json(value or b"")
            except (ValidationError, StorageError) as error:
                log.error("an unfinished turn cannot be read", extra={"turn_id": name, "error": type(error).__name__})
                continue
            self._saved[turn.turn_id] = len(turn.content)
            turns.append(turn)
        return sorted(turns, key=lambda turn: turn.messages[0].timestamp.timestamp() if turn.messages else 0.0)

    def drop(self, turn_id: UUID) -> None:
        """Remove one, in the background, again and again where that fails."""
        if self._saved.pop(turn_id, None) is not None:
            self._undropped.add(turn_id)
            task = asyncio.create_task(self._drop_quietly(turn_id))
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    async def drop_left_over(self) -> None:
        """Remove what could not be removed before, as far as that is possible now."""
        if not self._dropping:
            for turn_id in list(self._undropped):
                await self._drop_quietly(turn_id)

    async def dropped(self) -> None:
        """Wait until all that was dropped is gone. Raises ``StorageUnavailable``."""
        await self.close()
        for turn_id in list(self._undropped):
            await self._drop(turn_id)

    async def close(self) -> None:
        """Wait for what is being removed."""
        if self._dropping:
            await asyncio.wait(self._dropping)

    async def _drop_quietly(self, turn_id: UUID) -> None:
        try:
            await self._drop(turn_id)
        except StorageError as error:
            log.warning("a saved turn cannot be removed yet", extra={"turn_id": str(turn_id), "code": error.code})

    async def _drop(self, turn_id: UUID) -> None:
        async with self._writing:
            if turn_id not in self._saved:
                await self._storage.delete_record(NAMESPACE, str(turn_id))
            self._undropped.discard(turn_id)


def unfinished(
    live: LiveTurn, *, messages: Sequence[Message] = (), character_id: StoredId | None = None
) -> UnfinishedTurn:
    """Describe a turn as it stands."""
    return UnfinishedTurn(
        turn_id=live.turn_id,
        conversation_id=live.conversation_id,
        user_id=live.user_id,
        character_id=character_id,
        user_message_id=live.user_message_id,
        message_id=live.message_id,
        model=live.reply.model or live.model,
        content=live.reply.content,
        fields=live.reply.fields,
        messages=tuple(messages),
    )
