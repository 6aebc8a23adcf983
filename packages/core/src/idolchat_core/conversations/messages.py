"""What is done to one stored message without the model: write another in its place, delete it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from idolchat_core.coordination.contract import UnfinishedTurn
from idolchat_core.coordination.local import forget_unfinished
from idolchat_core.errors import ConversationBusy, InvalidRequest, StorageConflict
from idolchat_core.models import Message, StoredId, deleted_form, new_id, utc_now
from idolchat_core.storage.changes import ChangeKind, changing
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.maintenance import forget_aside
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.lookup import find_message
from idolchat_core.turns.prompt_records import forget_naming
from idolchat_core.turns.request import NewMessage

__all__ = ["delete_message", "erase_message", "rewritable", "rewrite"]

_ATTEMPTS = 5


async def rewritable(storage: Storage, conversation_id: UUID, message_id: StoredId) -> Message:
    """Find a message that another may be written in place of: a user's, or a reply.

    Raises ``ConversationNotFound``, ``InvalidRequest``.
    """
    message, _ = await _found(storage, conversation_id, message_id)
    if message.role not in ("user", "assistant"):
        text = f"message {message_id} is of the role {message.role}; only users' messages and replies are rewritten"
        raise InvalidRequest(text, param="message_id")
    return message


async def rewrite(
    turns: TurnEngine, storage: Storage, conversation_id: UUID, message_id: StoredId, new: NewMessage
) -> Message:
    """Store another message beside one, make it the head, and return it; nothing is asked of the model.

    What follows the old one stays with that. Raises ``ConversationNotFound``, ``ConversationBusy`` while a turn is
    running, ``InvalidRequest``, ``StorageConflict`` when others keep changing the conversation.
    """
    await _require_idle(turns, conversation_id)
    for _ in range(_ATTEMPTS):
        before, parent_id = await _found(storage, conversation_id, message_id)
        page = await storage.read_page(conversation_id, limit=1)
        now = max(utc_now(), page.conversation.updated_at)
        message = _written(new, parent_id=parent_id, timestamp=now)
        if before.character_id is not None:
            message = message.model_copy(update={"character_id": before.character_id})
        try:
            with changing(ChangeKind.EDITED):
                await storage.append(conversation_id, [message], expected_count=page.total, updated_at=now)
        except StorageConflict:
            continue
        turns.forget(conversation_id)
        return message
    raise StorageConflict(f"conversation {conversation_id} is being changed by others; send again")


def _written(new: NewMessage, **fields: Any) -> Message:
    origin: dict[str, Any] = {"origin": "client"} if new.role == "assistant" else {}
    return Message(id=new_id(), role=new.role, content=new.content, **fields, **origin)


async def delete_message(turns: TurnEngine, storage: Storage, conversation_id: UUID, message_id: StoredId) -> None:
    """Delete one message for good, in a process that runs turns; see ``erase_message``.

    Raises as that, and ``ConversationBusy`` while a turn is running.
    """
    await _require_idle(turns, conversation_id)
    await turns.release(conversation_id)
    try:
        await erase_message(storage, conversation_id, message_id)
    finally:
        turns.forget(conversation_id)


async def erase_message(storage: Storage, conversation_id: UUID, message_id: StoredId) -> Message:
    """Delete one message for good, and return what stays: its place, without text; what follows it stays, too.

    The text goes from the document, from copies that repairs have kept, from checkpoints, and from indexes; mirrors
    follow. Explanations of this conversation's prompts that name the message go, too. Deleting it once more removes
    copies that have come since. Raises ``ConversationNotFound``, ``ConversationDamaged``, ``InvalidRequest``,
    ``StorageConflict``, ``StorageUnavailable``.
    """
    message, _ = await _found(storage, conversation_id, message_id)
    await forget_aside(storage, conversation_id)
    await _drop_checkpoints(storage, message_id)
    deleted = deleted_form(message, deleted_at=utc_now())
    await storage.replace_message(conversation_id, deleted)
    await forget_naming(storage, conversation_id, str(message_id))
    return deleted


async def _drop_checkpoints(storage: Storage, message_id: StoredId) -> None:
    """Remove what a crash has left of the turn whose message this is: the message is in the document."""

    def has_it(turn: UnfinishedTurn) -> bool:
        return str(message_id) in {str(turn.message_id), *(str(message.id) for message in turn.messages)}

    await forget_unfinished(storage, has_it)


async def _found(storage: Storage, conversation_id: UUID, message_id: StoredId) -> tuple[Message, StoredId | None]:
    found = await find_message(storage, conversation_id, message_id)
    if found is None:
        raise InvalidRequest(f"no message {message_id} in conversation {conversation_id}", param="message_id")
    return found


async def _require_idle(turns: TurnEngine, conversation_id: UUID) -> None:
    if await turns.is_busy(conversation_id):
        raise ConversationBusy(f"a turn is running in conversation {conversation_id}; wait for it, or cancel it")
