"""The lorebooks of conversations, which a fork has too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from idolchat_characters.books.library import BookLibrary, books_of
from idolchat_core import Conversation, ConversationData, Storage

__all__ = ["ConversationBooks", "open_conversation_books"]


class ConversationBooks(ConversationData):
    """Gives a fork lorebooks of its own, as those of its source are then."""

    def __init__(self, library: BookLibrary) -> None:
        self._library = library

    async def copy(self, source_id: UUID, forked: Conversation) -> None:
        """Copy the books of a conversation. Raises ``TooManyBooks``."""
        user_id = forked.user_id if isinstance(forked.user_id, UUID) else None
        await self._library.copy_of(source_id, user_id=user_id, conversation_id=forked.id)


@asynccontextmanager
async def open_conversation_books(storage: Storage) -> AsyncGenerator[ConversationData]:
    """Open the lorebooks of conversations."""
    yield ConversationBooks(books_of(storage))
