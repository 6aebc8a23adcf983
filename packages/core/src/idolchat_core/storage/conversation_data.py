"""The contract of what plugins hold about conversations beside their documents, to be copied with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from uuid import UUID

from idolchat_core.models import Conversation

__all__ = ["ConversationData"]


class ConversationData(ABC):
    """What a plugin holds about conversations that their users gave it, and that no document tells.

    A factory registered in ``idolchat_register_conversation_data`` takes the open storage and returns an async context
    manager that gives one of these. Every one is asked when a conversation is forked, also by ``idol``.
    """

    @abstractmethod
    async def copy(self, source_id: UUID, forked: Conversation) -> None:
        """Hold for a fork what is held for its source; the fork is stored after that, or not at all.

        What is raised refuses the fork.
        """
