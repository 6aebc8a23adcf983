"""Finds replies by the search of a storage that several servers share: none of them has an index of its own then."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from idolchat_api_openai.requests.said import Said
from idolchat_api_openai.requests.text import words_of
from idolchat_core import ConversationFilter, Storage

__all__ = ["search_replies"]

MAX_SEARCHED = 3
"""Replies that are searched for, the newest."""
WORDS = 12
"""Words that are searched for of a reply: its last ones, without the very last, which a reader may have cut."""


async def search_replies(
    storage: Storage, user_id: UUID | None, character_id: UUID, replies: Sequence[Said], *, limit: int
) -> list[UUID]:
    """Return conversations in which the words of one of these replies stand, the one with the newest reply first.

    Whoever asks sees for themselves whether it is the reply. Raises ``StorageUnavailable``.
    """
    found: dict[UUID, None] = {}
    theirs = ConversationFilter(user_id=user_id, character_id=character_id)
    for reply in reversed(replies[-MAX_SEARCHED:]):
        words = words_of(reply.fields.get("content"))[-1 - WORDS : -1]
        if words:
            results = await storage.search(" ".join(words), theirs, limit=limit)
            found |= dict.fromkeys(hit.conversation_id for hit in results.data)
        if len(found) >= limit:
            break
    return list(found)[:limit]
