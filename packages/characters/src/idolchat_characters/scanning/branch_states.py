"""What lore remembers along the branches of conversations: derived, bounded, and made again where it is missing."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from idolchat_characters.character import JsonObject
from idolchat_characters.lore import BranchState, extend, scan
from idolchat_characters.macros import MacroContext
from idolchat_characters.message_text import message_text
from idolchat_characters.scanning.scanner import LoreScanner, LoreTurn, Said
from idolchat_core import (
    Conversation,
    IdolchatError,
    Message,
    Storage,
    StorageUnavailable,
    StoredId,
    branch_messages,
)

__all__ = ["NAMESPACE", "BranchStates", "branch_of"]

log = logging.getLogger(__name__)

NAMESPACE = "lore-states"
MAX_STATES = 16
"""How many replies of a conversation have their state kept: the newest ones, in the order in which they were made."""

MAX_CONVERSATIONS = 1_024
PATIENCE_S = 0.1
NEAR = 3
"""How many messages may follow one with a state, so that no reply among them has to be scanned for."""


class KeptStates(BaseModel):
    """The record of a conversation: the state that each scan has left, by the id of the message that was answered.

    ``user_id`` is there so that it is erased with its user.
    """

    model_config = ConfigDict(frozen=True)

    user_id: str | None = None
    states: dict[str, JsonObject] = {}


class BranchStates:
    """The states of conversations, in memory and in records.

    A turn extends the state of the reply before it, whose cost is the same in a conversation of any length. Where none
    of the loaded branch has one (it was never made, was made by a server that lost it, or the branch is an old one),
    the branch is replayed from its root. A turn that cannot wait for that is scanned with what the loaded part gives.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: OrderedDict[UUID, OrderedDict[str, BranchState]] = OrderedDict()
        self._replays: dict[UUID, asyncio.Task[None]] = {}

    async def before(self, scanner: LoreScanner, turn: LoreTurn) -> tuple[BranchState, bool]:
        """Return the state before a turn's scan, and whether it is exact."""
        if not scanner.remembers:
            return BranchState(messages=turn.start + len(turn.said)), True
        found = self._nearest(turn)
        if found is None:
            await self._load(turn.conversation_id)
            found = self._nearest(turn)
        if found is None and not turn.has_root:
            await self._replayed(scanner, turn)
            found = self._nearest(turn)
        start = BranchState(messages=turn.start, replies=turn.start // 2)
        at, state = (-1, start) if found is None else found
        if len(turn.said) - at <= NEAR:
            state = self._extended(scanner, turn, state, at)
        else:
            state = await asyncio.to_thread(self._extended, scanner, turn, state, at)
        return state, found is not None or turn.has_root

    async def remember(self, turn: LoreTurn, state: BranchState, user_id: StoredId | None) -> None:
        """Keep the state that a turn's scan has left, for the turns that follow it."""
        self._keep(turn.conversation_id, turn.said[-1].id, state)
        states = self._known[turn.conversation_id]
        kept = KeptStates(
            user_id=None if user_id is None else str(user_id),
            states={name: held.to_json() for name, held in states.items()},
        )
        value = kept.model_dump_json().encode()
        try:
            await self._storage.put_record(NAMESPACE, str(turn.conversation_id), value, durable=False)
        except StorageUnavailable as error:  # it is made again when it is needed
            log.warning("the state of lorebooks is not kept", extra={"reason": str(error)})

    async def conversations(self) -> set[UUID]:
        """List the conversations of which a state is kept."""
        return {UUID(name) for name in await self._storage.list_records(NAMESPACE)}

    async def remove_of(self, conversation_ids: Collection[UUID]) -> None:
        """Remove the states of conversations."""
        for conversation_id in conversation_ids:
            self._known.pop(conversation_id, None)
            await self._storage.delete_record(NAMESPACE, str(conversation_id))

    async def close(self) -> None:
        """Stop what is being replayed."""
        for task in self._replays.values():
            task.cancel()
        await asyncio.gather(*self._replays.values(), return_exceptions=True)

    def _nearest(self, turn: LoreTurn) -> tuple[int, BranchState] | None:
        states = self._known.get(turn.conversation_id)
        if not states:
            return None
        self._known.move_to_end(turn.conversation_id)
        for at in range(len(turn.said) - 2, -1, -1):
            if (held := states.get(str(turn.said[at].id))) is not None:
                return at, held
        return None

    def _keep(self, conversation_id: UUID, message_id: StoredId, state: BranchState) -> None:
        states = self._known.setdefault(conversation_id, OrderedDict())
        self._known.move_to_end(conversation_id)
        states[str(message_id)] = state
        states.move_to_end(str(message_id))
        if len(states) > MAX_STATES:
            states.popitem(last=False)
        if len(self._known) > MAX_CONVERSATIONS:
            self._known.popitem(last=False)

    async def _load(self, conversation_id: UUID) -> None:
        value = await self._storage.get_record(NAMESPACE, str(conversation_id))
        if value is None:
            return
        try:
            kept = KeptStates.model_validate_json(value)
            for name, raw in kept.states.items():
                self._keep(conversation_id, name, BranchState.from_json(raw))
        except ValueError as error:
            facts = {"conversation_id": str(conversation_id), "reason": type(error).__name__}
            log.warning("the state of lorebooks cannot be read and is made again", extra=facts)

    async def _replayed(self, scanner: LoreScanner, turn: LoreTurn) -> None:
        """Wait a little for the replay of a branch, which goes on by itself."""
        task = self._replays.get(turn.conversation_id)
        if task is None:
            task = asyncio.create_task(self._replay(scanner, turn))
            self._replays[turn.conversation_id] = task
            task.add_done_callback(lambda _: self._replays.pop(turn.conversation_id, None))
        await asyncio.wait({task}, timeout=PATIENCE_S)

    async def _replay(self, scanner: LoreScanner, turn: LoreTurn) -> None:
        try:
            conversation = await self._storage.read(turn.conversation_id)
        except IdolchatError as error:
            log.warning("a branch cannot be replayed for its lorebooks", extra={"reason": str(error)})
            return
        said = await asyncio.to_thread(branch_of, conversation, turn.said[-1].id)
        whole = replace(turn, said=said, start=0)
        last = next((at for at in range(len(said) - 2, -1, -1) if said[at].role == "user"), None)
        if last is not None:
            state = await asyncio.to_thread(self._scanned, scanner, whole, last)
            self._keep(turn.conversation_id, said[last].id, state)

    def _scanned(self, scanner: LoreScanner, turn: LoreTurn, last: int) -> BranchState:
        """Return what the scan for the reply to one message has left."""
        before = self._extended(scanner, replace(turn, said=turn.said[: last + 1]), BranchState(), -1)
        at = replace(turn, context=_at(turn.context, turn.said[last].id))
        return scan(scanner.lore, scanner.input(at, before, count=last + 1)).state

    def _extended(self, scanner: LoreScanner, turn: LoreTurn, state: BranchState, known: int) -> BranchState:
        """Go on from the message at place ``known`` to the end of the branch, scanning for each reply in between."""
        for at in range(known + 1, len(turn.said)):
            role = turn.said[at].role
            if role == "assistant" and at and turn.said[at - 1].role == "user" and at - 1 != known:
                earlier = replace(turn, context=_at(turn.context, turn.said[at - 1].id))
                state = scan(scanner.lore, scanner.input(earlier, state, count=at)).state
            state = extend(state, role)
        return state


def branch_of(conversation: Conversation, upto: StoredId | None) -> list[Said]:
    """Return the messages of the branch that ends with ``upto``, or of the active one, without those deleted."""
    return [_said(message) for message in branch_messages(conversation, upto) if message.deleted_at is None]


def _said(message: Message) -> Said:
    return Said(message.id, message.role, lambda: message_text(message.content), message.character_id)


def _at(context: MacroContext, message_id: StoredId) -> MacroContext:
    return replace(context, turn_id=str(message_id))
