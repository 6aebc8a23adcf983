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

from idolchat_core.errors import ConversationNotFound, StorageError
from idolchat_core.history import History
from idolchat_core.live import LiveTurn
from idolchat_core.models import Conversation, Message, StoredId, utc_now
from idolchat_core.storage import Storage

__all__ = ["Checkpoints", "recover"]

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

    async def save(self, turn: UnfinishedTurn, *, durable: bool) -> None:
        """Write one down. Raises ``StorageUnavailable``."""
        self._saved[turn.turn_id] = len(turn.content)
        value = turn.model_dump_json(exclude_unset=True).encode()
        async with self._writing:
            if turn.turn_id in self._saved:
                await self._storage.put_record(NAMESPACE, str(turn.turn_id), value, durable=durable)

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

    def drop(self, turn_id: UUID) -> None:
        """Remove one, in the background; a crash before that is noticed by ``recover``."""
        if self._saved.pop(turn_id, None) is not None:
            task = asyncio.create_task(self._drop(turn_id))
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    async def close(self) -> None:
        """Wait for what is being removed."""
        if self._dropping:
            await asyncio.wait(self._dropping)

    async def _drop(self, turn_id: UUID) -> None:
        async with self._writing:
            try:
                await self._storage.delete_record(NAMESPACE, str(turn_id))
            except StorageError as error:
                log.warning("a saved reply cannot be removed", extra={"turn_id": str(turn_id), "code": error.code})


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


async def recover(storage: Storage) -> int:
    """Bring the turns that a crash left unfinished into their conversations, as interrupted; tell how many.

    To be called when no other process runs turns on this storage. One that cannot be brought in is left for later.
    """
    recovered = 0
    for name in await storage.list_records(NAMESPACE):
        value = await storage.get_record(NAMESPACE, name)
        try:
            turn = UnfinishedTurn.model_validate_json(value or b"")
            await _bring_in(storage, turn)
        except (ValidationError, StorageError) as error:
            log.error("an unfinished turn cannot be recovered", extra={"turn_id": name, "error": type(error).__name__})
            continue
        await storage.delete_record(NAMESPACE, name)
        recovered += 1
    return recovered


async def _bring_in(storage: Storage, turn: UnfinishedTurn) -> None:
    try:
        page = await storage.read_page(turn.conversation_id, limit=256)
    except ConversationNotFound:
        if turn.messages:
            await storage.create(_new_conversation(turn, _interrupted(turn)))
        return
    known = {message.id for message in page.conversation.messages}
    if turn.message_id in known:
        return
    messages = [*(m for m in turn.messages if m.id not in known), _interrupted(turn)]
    history = History(page)
    if messages[0].role == "assistant":
        position = history.position_of(turn.user_message_id)
        keep = len(history.path) if position is None else position + 1
    else:
        keep = len(history.path)
    placed = history.placed(messages, keep=keep)
    await storage.append(turn.conversation_id, placed, expected_count=page.total, updated_at=utc_now())


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
