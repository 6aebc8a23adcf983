"""Begins a conversation before anything is asked of a model."""

from __future__ import annotations

from idolchat_core.characters.contract import CharacterDirectory, DirectoryEntry
from idolchat_core.characters.greeting import greeting_of
from idolchat_core.models import Conversation
from idolchat_core.storage.contract import Storage

__all__ = ["begin"]


async def begin(
    storage: Storage, characters: CharacterDirectory, conversation: Conversation, greeter: DirectoryEntry | None
) -> tuple[Conversation, str]:
    """Store a new conversation and return it with its revision; where somebody greets, it begins with the greeting.

    ``conversation`` has no messages yet. Raises ``ConversationExists``, ``StorageError``.
    """
    greeting = () if greeter is None else await greeting_of(characters, greeter, conversation)
    fields = {"messages": greeting, **({"head": greeting[0].id} if len(greeting) > 1 else {})}
    begun = conversation.model_copy(update=fields)
    return begun, await storage.create(begun)
