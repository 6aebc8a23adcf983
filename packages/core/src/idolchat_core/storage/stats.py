"""What a storage holds, in numbers."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from idolchat_core.models import ConversationSummary, UtcTime

__all__ = ["StatsCounter", "StorageStats"]


class StorageStats(BaseModel):
    """How much there is of what; ``size_bytes`` is None where a storage does not know it.

    ``users`` and ``characters`` count those that own at least one of the conversations. ``first_at`` is when the first
    of them began, ``last_at`` when one was last changed; None when there are none.
    """

    model_config = ConfigDict(frozen=True)

    conversations: int
    messages: int
    users: int
    characters: int
    damaged: int
    size_bytes: int | None
    first_at: UtcTime | None
    last_at: UtcTime | None


class StatsCounter:
    """Counts conversations one by one."""

    def __init__(self) -> None:
        self._conversations = self._messages = self._damaged = 0
        self._users: set[str] = set()
        self._characters: set[str] = set()
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None

    def add(self, summary: ConversationSummary) -> None:
        """Count one."""
        self._conversations += 1
        self._messages += summary.message_count
        self._damaged += summary.status == "damaged"
        if summary.user_id is not None:
            self._users.add(str(summary.user_id))
        for character_id in (summary.character_id, *(summary.character_ids or ())):
            if character_id is not None:
                self._characters.add(str(character_id))
        self._first_at = min(self._first_at or summary.created_at, summary.created_at)
        self._last_at = max(self._last_at or summary.updated_at, summary.updated_at)

    def result(self, *, size_bytes: int | None = None) -> StorageStats:
        """Return what was counted."""
        return StorageStats(
            conversations=self._conversations,
            messages=self._messages,
            users=len(self._users),
            characters=len(self._characters),
            damaged=self._damaged,
            size_bytes=size_bytes,
            first_at=self._first_at,
            last_at=self._last_at,
        )
