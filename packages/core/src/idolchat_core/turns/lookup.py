"""Turns as their messages in the document show them, when their events are gone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from uuid import UUID

from idolchat_core.errors import ConversationNotFound
from idolchat_core.events.events import TurnState, TurnStatus
from idolchat_core.models import Message, StoredId
from idolchat_core.storage.contract import Storage
from idolchat_core.turns.plan import retry_id

__all__ = ["RETRYABLE", "StoredTurn", "find_message", "find_stored_turn", "state_of"]

RETRYABLE = frozenset({TurnState.FAILED, TurnState.INCOMPLETE, TurnState.INTERRUPTED})
"""How a turn may end so that the same idempotency key runs it again."""

_STATES = {
    "cancelled": TurnState.CANCELLED,
    "incomplete": TurnState.INCOMPLETE,
    "interrupted": TurnState.INTERRUPTED,
    "error": TurnState.FAILED,
}
PAGE_SIZE = 64


def state_of(reply: Message | None) -> TurnState:
    """Return how a turn ended by its reply; one that has none, and is not running, was interrupted."""
    if reply is None:
        return TurnState.INTERRUPTED
    return _STATES.get(reply.finish_reason or "", TurnState.COMPLETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTurn:
    """A user's message and this turn's reply to it.

    ``retries`` are the replies of the turns that answered it once more in the place of this one, each in that of the
    one before it; what was regenerated is none.
    """

    conversation_id: UUID
    turn_id: UUID
    user_message: Message
    reply: Message | None
    retries: Sequence[Message] = ()

    @property
    def request_hash(self) -> str | None:
        """What the turn's idempotency key was used for; the reply has it where the turn asked nothing new."""
        if self.reply is not None and self.reply.request_hash is not None:
            return self.reply.request_hash
        return self.user_message.request_hash

    @property
    def newest_reply(self) -> Message | None:
        """The reply that its key stands for now: that of the last retry, else its own."""
        return self.retries[-1] if self.retries else self.reply

    @property
    def newest_turn_id(self) -> UUID:
        """The turn of the last retry; this one where there is none."""
        return (self.retries[-1].turn_id if self.retries else None) or self.turn_id

    @property
    def status(self) -> TurnStatus:
        """How it ended."""
        reply = self.reply
        return TurnStatus(
            turn_id=self.turn_id,
            conversation_id=self.conversation_id,
            state=state_of(reply),
            user_message_id=self.user_message.id,
            message_id=reply.id if reply else None,
            content=reply.content if reply and isinstance(reply.content, str) else "",
            model=reply.model if reply else None,
            usage=reply.usage if reply else None,
            error=reply.error if reply else None,
        )


async def find_stored_turn(
    storage: Storage, turn_id: UUID, *, conversation_id: UUID | None = None
) -> StoredTurn | None:
    """Find a turn by the ids in its messages, reading from the newest back.

    ``conversation_id`` says where it is, when that is known.
    """
    if conversation_id is None:
        conversation_id = await storage.find_turn(turn_id)
    if conversation_id is None:
        return None
    try:
        async for messages, _ in _from_the_newest(storage, conversation_id):
            turn = _turn_among(messages, turn_id, conversation_id)
            if turn is not None:
                return turn
    except ConversationNotFound:
        pass
    return None


async def find_message(
    storage: Storage, conversation_id: UUID, message_id: StoredId | None
) -> tuple[Message, StoredId | None] | None:
    """Find a message and the id of what it follows, reading from the newest back. Raises ``ConversationNotFound``."""
    async for messages, start in _from_the_newest(storage, conversation_id):
        for position, message in enumerate(messages):
            if message.id == message_id and (position or not start or "parent_id" in message.model_fields_set):
                return message, _parent(messages, position)
    return None


async def _from_the_newest(storage: Storage, conversation_id: UUID) -> AsyncGenerator[tuple[list[Message], int]]:
    """Yield the newest messages, each time with as many older ones, and the position of the first of them."""
    messages: list[Message] = []
    before: int | None = None
    while before != 0:
        page = await storage.read_page(conversation_id, limit=PAGE_SIZE, before=before)
        messages[:0] = page.conversation.messages
        before = page.start
        yield messages, before


def _turn_among(messages: Sequence[Message], turn_id: UUID, conversation_id: UUID) -> StoredTurn | None:
    mine = [i for i, message in enumerate(messages) if message.turn_id == turn_id]
    if not mine:
        return None
    asked = [i for i in mine if messages[i].role != "assistant"]
    user_id = messages[asked[-1]].id if asked else _parent(messages, mine[-1])
    user = next((message for message in messages if message.id == user_id), None)
    if user is None:
        return None
    replies = {  # one that does not say its turn is of that of its message
        message.turn_id or user.turn_id: message
        for i, message in enumerate(messages)
        if _is_reply(message) and _parent(messages, i) == user.id
    }
    retries = []
    following = retry_id(turn_id)
    while following in replies:
        retries.append(replies[following])
        following = retry_id(following)
    return StoredTurn(
        conversation_id=conversation_id,
        turn_id=turn_id,
        user_message=user,
        reply=replies.get(turn_id),
        retries=retries,
    )


def _is_reply(message: Message) -> bool:
    """Whether a model said it: what a client wrote as a reply is no end of a turn."""
    return message.role == "assistant" and message.origin != "client"


def _parent(messages: Sequence[Message], position: int) -> StoredId | None:
    message = messages[position]
    if "parent_id" in message.model_fields_set:
        return message.parent_id
    return messages[position - 1].id if position else None
