"""What keeps a turn through a crash of ours: its reply so far, or its message while it waits.

They are records beside the conversations, gone when the turn's messages are in the document.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from uuid import UUID

from pydantic import ValidationError

from idolchat_core.coordination.checkpoint_records import CheckpointRecords
from idolchat_core.coordination.contract import UnfinishedTurn
from idolchat_core.errors import StorageError
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Message, StoredId
from idolchat_core.storage.contract import Storage

__all__ = ["NAMESPACE", "Checkpoints", "turns_in", "unfinished"]

log = logging.getLogger(__name__)

NAMESPACE = "turns"


class Checkpoints:
    """Saves unfinished turns and drops them once they are in the document.

    What must be durable at once has a record of its own; the replies so far share some.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._running = CheckpointRecords(storage, NAMESPACE)
        self._saved: set[UUID] = set()
        self._writing = asyncio.Lock()
        self._dropping: set[asyncio.Task[None]] = set()
        self._undropped: set[UUID] = set()

    async def save(self, turn: UnfinishedTurn, *, durable: bool) -> None:
        """Write one down. Raises ``StorageUnavailable``; it may be written all the same, so it is to be dropped."""
        self._saved.add(turn.turn_id)
        value = turn.model_dump_json(exclude_unset=True).encode()
        async with self._writing:
            if turn.turn_id in self._saved:
                await self._storage.put_record(NAMESPACE, str(turn.turn_id), value, durable=durable)

    async def save_running(self, turns: Iterable[UnfinishedTurn]) -> None:
        """Save replies so far; that the disk refuses it does not stop them."""
        for turn in turns:
            self._running.set(turn.turn_id, turn.model_dump_json(exclude_unset=True).encode())
        try:
            await self._running.write()
        except StorageError as error:
            log.warning("running replies cannot be saved", extra={"code": error.code})

    async def load(self) -> list[UnfinishedTurn]:
        """Read those that a crash has left, in the order in which they are to be stored.

        Those that were running come first: the others waited for them. One that cannot be read is left where it is.
        Raises ``StorageUnavailable`` when it cannot be told which there are.
        """
        turns: dict[UUID, UnfinishedTurn] = {}
        for name in await self._storage.list_records(NAMESPACE):
            try:
                if (value := await self._storage.get_record(NAMESPACE, name)) is None:
                    continue  # it has ended since
                found = turns_in(name, value)
            except (ValidationError, StorageError) as error:
                log.error("an unfinished turn cannot be read", extra={"record": name, "error": type(error).__name__})
                continue
            if CheckpointRecords.is_record(name):
                self._running.take_up(name, {turn.turn_id: line for turn, line in found})
            else:
                self._saved.update(turn.turn_id for turn, _ in found)
            for turn, _ in found:
                before = turns.get(turn.turn_id)
                turns[turn.turn_id] = turn if before is None else _joined(before, turn)
        return sorted(turns.values(), key=_place)

    def drop(self, turn_id: UUID) -> None:
        """Remove one, in the background, again and again where that fails."""
        self._running.drop(turn_id)
        if self._saved and turn_id in self._saved:
            self._saved.discard(turn_id)
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
        await self._wait_for_drops()
        for turn_id in list(self._undropped):
            await self._drop(turn_id)
        await self._running.write(durable=True)

    async def close(self) -> None:
        """Wait for what is being removed, and keep nothing but what is still to be stored."""
        await self._wait_for_drops()
        await self.save_running(())

    async def _wait_for_drops(self) -> None:
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


def turns_in(name: str, value: bytes) -> list[tuple[UnfinishedTurn, bytes]]:
    """Read the turns of a record, each with its line. Raises ``ValidationError``."""
    lines = CheckpointRecords.lines_of(value) if CheckpointRecords.is_record(name) else [value]
    return [(UnfinishedTurn.model_validate_json(line), line) for line in lines]


def _place(turn: UnfinishedTurn) -> tuple[float, str]:
    """Tell which turn is before which: ids of replies are made in order, also where messages have the same time."""
    return turn.messages[0].timestamp.timestamp() if turn.messages else 0.0, str(turn.message_id)


def _joined(one: UnfinishedTurn, other: UnfinishedTurn) -> UnfinishedTurn:
    """Make one of what two records say of a turn: its message while it waited, and its reply so far."""
    further, earlier = (one, other) if len(one.content) >= len(other.content) else (other, one)
    if further.messages:
        return further
    return further.model_copy(update={"messages": earlier.messages, "character_id": earlier.character_id})


def unfinished(
    live: LiveTurn,
    *,
    messages: Sequence[Message] = (),
    character_id: StoredId | None = None,
    continues: bool = False,
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
        content=live.content,
        fields=live.reply.fields | live.reply_fields,
        messages=tuple(messages),
        continues=continues,
    )
