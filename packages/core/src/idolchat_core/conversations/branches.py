"""What is done to a conversation as a whole: choose a branch, fork it, delete it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from idolchat_core.characters.cast import NextSpeaker
from idolchat_core.errors import ConversationBusy, ConversationDamaged, InvalidRequest
from idolchat_core.models import (
    Conversation,
    Message,
    StoredId,
    branch_messages,
    new_id,
    utc_now,
)
from idolchat_core.plugins.loader import Plugins
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.expectations import check_revision
from idolchat_core.turns.engine import TurnEngine

__all__ = ["active_branch", "change", "choose_head", "copied", "delete", "fork"]

_KEPT = ("character_ids", "next_speaker", "persona_id")
"""Fields of a conversation that a fork has too, beside its user and character."""


def active_branch(conversation: Conversation, *, upto: StoredId | None = None) -> tuple[Message, ...]:
    """Return the messages of a branch, oldest first: the one that ends with ``upto``, else the active one.

    A ``head`` that is nowhere is none. Raises ``InvalidRequest`` when there is no message ``upto``.
    """
    branch = branch_messages(conversation, upto)
    if not branch and upto is not None:
        raise InvalidRequest(f"no message {upto} in conversation {conversation.id}", param="message_id")
    return branch


async def choose_head(
    turns: TurnEngine,
    storage: Storage,
    conversation_id: UUID,
    head: StoredId,
    *,
    expected_revision: str | None = None,
) -> str:
    """Make the branch that ends with this message the active one, for the next turn; return the new revision.

    Raises ``ConversationNotFound``, ``ConversationBusy`` while a turn is running, ``InvalidRequest``, and
    ``RevisionMismatch`` when the conversation has another revision than the one given.
    """
    return await change(turns, storage, conversation_id, head=head, expected_revision=expected_revision)


async def change(
    turns: TurnEngine,
    storage: Storage,
    conversation_id: UUID,
    *,
    head: StoredId | None = None,
    next_speaker: NextSpeaker | None = None,
    character_ids: Sequence[StoredId] | None = None,
    expected_revision: str | None = None,
) -> str:
    """Choose a head, who takes part beside the first character, or who answers. Raises as ``choose_head``."""
    if await turns.is_busy(conversation_id):
        raise ConversationBusy(f"a turn is running in conversation {conversation_id}; wait for it, or cancel it")
    conversation = await storage.read(conversation_id)
    fields: dict[str, Any] = {}
    if character_ids is not None:
        fields["character_ids"] = _members(conversation, character_ids)
    if next_speaker is not None:
        if not (character_ids or conversation.character_ids):
            raise InvalidRequest("next_speaker: this conversation has one character", param="next_speaker")
        fields["next_speaker"] = str(next_speaker)
    if head is not None:
        active_branch(conversation, upto=head)
        fields["head"] = str(head)
    revision = await storage.update(
        conversation_id,
        fields,
        expected_count=len(conversation.messages),
        expected_revision=expected_revision,
    )
    turns.forget(conversation_id)
    return revision


def _members(conversation: Conversation, character_ids: Sequence[StoredId]) -> list[str]:
    """Return who is to take part, as documents have it. Raises ``InvalidRequest``."""
    first = conversation.character_id
    if character_ids[0] != first or len(set(character_ids)) < max(2, len(character_ids)):
        who = f"{first}, with whom it began" if first is not None else "the character that it began with, and has none"
        text = f"character_ids: must be {who}, and at least one other, each once"
        raise InvalidRequest(text, param="character_ids")
    return [str(one) for one in character_ids]


async def fork(
    storage: Storage, conversation_id: UUID, *, plugins: Plugins, upto: StoredId | None = None
) -> Conversation:
    """Begin a new conversation with the messages of a branch and what plugins hold for it, and return it.

    Raises ``ConversationNotFound``, ``ConversationDamaged``, ``InvalidRequest``, and what plugins refuse with.
    """
    forked = copied(await storage.read(conversation_id), upto=upto)
    registry = plugins.conversation_data
    for name in registry:
        async with registry.get(name)(storage) as held:
            await held.copy(conversation_id, forked)
    await storage.create(forked)
    return forked


def copied(source: Conversation, *, upto: StoredId | None = None) -> Conversation:
    """Make the conversation that a fork would begin, and store it nowhere. Raises as ``fork`` does."""
    if source.status == "damaged":
        raise ConversationDamaged(f"conversation {source.id} is damaged and cannot be forked")
    now = utc_now()
    branch = [message for message in active_branch(source, upto=upto) if message.deleted_at is None]
    copies = tuple(message.model_copy(update={"id": new_id()}) for message in branch)
    forked = Conversation(
        id=new_id(),
        created_at=now,
        user_id=source.user_id,
        character_id=source.character_id,
        messages=tuple(_without_turn(message) for message in copies),
        updated_at=now,
        forked_from=source.id,
    )
    kept = {name: getattr(source, name) for name in _KEPT if getattr(source, name) is not None}
    return forked.model_copy(update=kept) if kept else forked


async def delete(
    turns: TurnEngine, storage: Storage, conversation_id: UUID, *, expected_revision: str | None = None
) -> None:
    """Stop what runs in a conversation and remove it.

    Raises ``ConversationNotFound``, and ``RevisionMismatch`` when it has another revision than the one given: nothing
    is stopped then.
    """
    if expected_revision is not None:
        page = await storage.read_page(conversation_id, limit=1)
        check_revision(conversation_id, page.revision, expected_revision)
        if await turns.is_busy(conversation_id):
            raise ConversationBusy(f"a turn is running in conversation {conversation_id} and will change it")
    await turns.stop_all(conversation_id)
    await storage.delete(conversation_id, expected_revision=expected_revision)
    turns.forget(conversation_id)


def _without_turn(message: Message) -> Message:
    """A copy belongs to no turn: a turn id, and a key, are in one conversation only."""
    dropped = {"turn_id", "parent_id", "idempotency_key", "request_hash"}
    given = {name: value for name, value in message if name in message.model_fields_set and name not in dropped}
    return Message(**given)
