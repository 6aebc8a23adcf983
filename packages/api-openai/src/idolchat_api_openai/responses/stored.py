"""Replies that were given, by the ids of their responses."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from idolchat_api import Caller
from idolchat_api_openai.responses.form import turn_id_of
from idolchat_core import (
    Conversation,
    ConversationNotFound,
    IdolchatError,
    Message,
    StoredId,
    TurnState,
    branch_messages,
)

__all__ = ["StoredReply", "branch_to", "find_reply"]

PAGE_SIZE = 64


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A reply, its conversation, and how its turn stands; ``message`` is None while it runs, or where it has none."""

    turn_id: UUID
    conversation: Conversation
    state: TurnState
    message: Message | None


async def find_reply(caller: Caller, name: str) -> StoredReply | None:
    """Find the reply that the id of a response, or of an item, stands for; None for one that is not the caller's."""
    turn_id = turn_id_of(name)
    if turn_id is None:
        return None
    try:
        await caller.check_turn(turn_id)
        status = await caller.service.turns.status(turn_id)
        page = await caller.read_page(status.conversation_id, limit=PAGE_SIZE)
    except IdolchatError as error:
        if error.code in ("turn_not_found", ConversationNotFound.code):
            return None
        raise
    message = await _message(caller, status.conversation_id, status.message_id)
    if message is not None and message.deleted_at is not None:
        return None
    return StoredReply(turn_id, page.conversation, status.state, message)


async def _message(caller: Caller, conversation_id: UUID, message_id: StoredId | None) -> Message | None:
    before: int | None = None
    while message_id is not None and before != 0:
        page = await caller.read_page(conversation_id, limit=PAGE_SIZE, before=before)
        found = next((message for message in page.conversation.messages if message.id == message_id), None)
        if found is not None:
            return found
        before = page.start
    return None


def branch_to(conversation: Conversation, message_id: StoredId | None) -> list[Message]:
    """Return the messages from the first to one (None: the end of the active branch), without deleted ones."""
    branch = branch_messages(conversation, message_id)
    return [message for message in branch if message.deleted_at is None and (message.content or message.tool_calls)]
