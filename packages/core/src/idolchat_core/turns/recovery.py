"""Turns that ended before they could be stored, because we crashed or the disk refused; they are stored later."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from idolchat_core.coordination.contract import TurnForgotten, TurnStore, TurnTakenOver, UnfinishedTurn
from idolchat_core.errors import StorageError
from idolchat_core.models import Conversation, Message, Page, utc_now
from idolchat_core.prompt.history import Histories, History
from idolchat_core.storage.contract import Storage
from idolchat_core.turns.lookup import find_stored_turn
from idolchat_core.turns.message_writer import MessageWriter, Placement

__all__ = ["UnstoredTurns"]

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
PAGE_SIZE = 256


class UnstoredTurns:
    """What is still to be stored of turns that are over, by conversation, in the order of the turns.

    A conversation takes no other turn before: ``flush`` is to be called first.
    """

    def __init__(self, storage: Storage, *, histories: Histories, writer: MessageWriter, turns: TurnStore) -> None:
        self._storage = storage
        self._histories = histories
        self._writer = writer
        self._turn_store = turns
        self._turns: dict[UUID, list[tuple[UnfinishedTurn, Message]]] = {}
        self._storing = asyncio.Lock()
        self._pause_s = FIRST_PAUSE_S
        self._again_at = 0.0

    @property
    def count(self) -> int:
        """Count the turns."""
        return sum(map(len, self._turns.values()))

    async def take_over(self) -> Sequence[UnfinishedTurn]:
        """Add the unfinished turns of processes that have died, and return them. Raises ``StorageUnavailable``."""
        turns = await self._turn_store.take_over()
        for turn in turns:
            self.add(turn, _interrupted(turn))
        return turns

    def add(self, turn: UnfinishedTurn, reply: Message) -> None:
        """Add a turn whose ``messages``, if it has any, and ``reply`` are still to be stored."""
        self._turns.setdefault(turn.conversation_id, []).append((turn, reply))

    async def forget(self, conversation_id: UUID) -> None:
        """Release a conversation that is being deleted. Raises ``StorageUnavailable``."""
        for turn, _ in self._turns.pop(conversation_id, ()):
            await self._turn_store.end(conversation_id, turn.turn_id)

    async def flush(self, conversation_id: UUID) -> None:
        """Store what is left of a conversation's turns. Raises ``StorageError`` when that cannot be done now."""
        if not self._turns or conversation_id not in self._turns:
            return
        async with self._storing:
            waiting = self._turns.get(conversation_id, [])
            while waiting:
                turn, reply = waiting[0]
                self._histories.forget(conversation_id)
                try:
                    await self._store(turn, reply)
                except TurnForgotten:
                    log.warning("a turn was removed before its end was stored", extra={"turn_id": str(turn.turn_id)})
                except TurnTakenOver:
                    log.error(
                        "another process has ended a turn that was over here", extra={"turn_id": str(turn.turn_id)}
                    )
                del waiting[0]
            self._turns.pop(conversation_id, None)

    async def flush_all(self, *, at_once: bool = False) -> None:
        """Store what is left, as far as that can be done now; after a failure, wait longer before the next attempt."""
        if not self._turns or (not at_once and time.monotonic() < self._again_at):
            return
        for conversation_id in list(self._turns):
            try:
                await self.flush(conversation_id)
            except StorageError as error:
                facts = {"conversation_id": str(conversation_id), "code": error.code}
                log.warning("a turn that is over cannot be stored yet", extra=facts)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if self._turns else FIRST_PAUSE_S
        self._again_at = time.monotonic() + self._pause_s

    async def _store(self, turn: UnfinishedTurn, reply: Message) -> None:
        async def decide(history: History | None) -> Placement | Conversation | None:
            if history is None:
                return _new_conversation(turn, reply) if turn.messages and not turn.continues else None
            if turn.user_id not in (None, history.user_id):
                return None  # another user's conversation of this id, not the one that the turn was meant for
            page = await self._storage.read_page(history.id, limit=PAGE_SIZE)
            if await self._is_stored(turn, page):
                return None
            if turn.messages and all(message.id != turn.user_message_id for message in page.conversation.messages):
                keep = len(history.path)
                return Placement(messages=[*history.interruption(keep), *turn.messages, reply], keep=keep)
            return await self._writer.place_reply(history, reply, answers=turn.user_message_id)

        conversation_id = turn.conversation_id
        end = partial(self._turn_store.end, conversation_id, turn.turn_id)
        await self._writer.write(conversation_id, decide, end, history=await self._writer.load(conversation_id))

    async def _is_stored(self, turn: UnfinishedTurn, page: Page) -> bool:
        """Whether a turn's reply is there: we crashed before the record of it was removed."""
        messages = page.conversation.messages
        if any(m.id == turn.message_id or (m.role == "assistant" and m.turn_id == turn.turn_id) for m in messages):
            return True
        stored = await find_stored_turn(self._storage, turn.turn_id) if page.start else None
        return stored is not None and stored.reply is not None


def _new_conversation(turn: UnfinishedTurn, reply: Message) -> Conversation:
    now = utc_now()
    return Conversation(
        id=turn.conversation_id,
        created_at=now,
        user_id=turn.user_id,
        character_id=turn.character_id,
        messages=(*turn.messages, reply),
        updated_at=now,
    )


def _interrupted(turn: UnfinishedTurn) -> Message:
    given: dict[str, Any] = {name: value for name, value in turn.fields.items() if name != "tool_calls"}
    if turn.model:
        given["model"] = turn.model
    return Message(
        id=turn.message_id,
        role="assistant",
        content=turn.content,
        timestamp=utc_now(),
        finish_reason="interrupted",
        turn_id=turn.turn_id,
        **given,
    )
