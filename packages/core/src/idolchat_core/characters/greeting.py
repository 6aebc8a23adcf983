"""What a character says first in a conversation."""

from __future__ import annotations

from idolchat_core.characters.contract import CharacterDirectory, DirectoryEntry
from idolchat_core.models import Conversation, Message, new_id

__all__ = ["GREETING", "greeting_of"]

GREETING = "greeting"
"""The ``origin`` of a message that stands on a character's card: no model made it."""


async def greeting_of(
    characters: CharacterDirectory, entry: DirectoryEntry, conversation: Conversation
) -> tuple[Message, ...]:
    """Return the first messages of a new conversation: a character's greeting, and its alternates as siblings.

    Each begins a branch of its own. Raises as ``CharacterDirectory.openings``.
    """
    openings = await characters.openings(entry, conversation)
    said = [_said(text, entry, conversation) for text in openings]
    return (*said[:1], *(message.model_copy(update={"parent_id": None}) for message in said[1:]))


def _said(text: str, entry: DirectoryEntry, conversation: Conversation) -> Message:
    message = Message(id=new_id(), role="assistant", content=text, timestamp=conversation.created_at, origin=GREETING)
    return message.model_copy(update={"character_id": entry.id}) if conversation.character_ids else message
