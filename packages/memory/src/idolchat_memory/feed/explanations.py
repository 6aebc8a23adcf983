"""Explanations of prompts go with the conversations that they name."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from idolchat_core import (
    Change,
    ChangeKind,
    ConversationDamaged,
    ConversationNotFound,
    MemoryIndex,
    Storage,
    forget_explanations,
)

__all__ = ["ExplanationFollower"]


class ExplanationFollower:
    """Removes explanations of the user's other conversations that name one which lost a message, or is gone."""

    def __init__(self, index: MemoryIndex, storage: Storage) -> None:
        self._index = index
        self._storage = storage

    async def follow(self, change: Change) -> None:
        """Act on a change of a conversation. Raises ``StorageUnavailable``."""
        if ChangeKind.USER_ERASED in change.kinds:  # all conversations of the user go, with their explanations
            return
        if change.revision is None or ChangeKind.MESSAGE_DELETED in change.kinds:
            known = await self._index.known(change.conversation_id)
            user_id = known.scope.user_id if known is not None else await self._user_of(change.conversation_id)
            if user_id is not None:
                await forget_explanations(self._storage, user_id, naming=str(change.conversation_id))

    async def rests_on(self, conversation_id: UUID) -> bool:
        """Return False: what was never indexed was never recalled."""
        return False

    async def known(self) -> Collection[UUID]:
        """Return none: they are those that the index knows."""
        return ()

    async def _user_of(self, conversation_id: UUID) -> str | None:
        try:
            page = await self._storage.read_page(conversation_id, limit=1)
        except (ConversationNotFound, ConversationDamaged):
            return None
        return None if page.conversation.user_id is None else str(page.conversation.user_id)
