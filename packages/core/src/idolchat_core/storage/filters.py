"""Which conversations are asked for: the filter that lists, searches and counts share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idolchat_core.models import ConversationSummary

__all__ = ["EVERYTHING", "ConversationFilter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """The user, the character and the time that conversations, or their messages, must have; None does not limit.

    A conversation with several characters has each of them.

    ``since`` and ``until`` are aware times with ``since <= time < until``, where the time is the ``updated_at`` of a
    conversation, or the ``timestamp`` of a message in a search.
    """

    user_id: UUID | str | None = None
    character_id: UUID | str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def includes(self, summary: ConversationSummary) -> bool:
        """Return whether ``Storage.list`` includes this conversation."""
        return (
            _is(summary.user_id, self.user_id)
            and any(_is(one, self.character_id) for one in (summary.character_id, *(summary.character_ids or ())))
            and self.includes_time(summary.updated_at)
        )

    def includes_time(self, time: datetime) -> bool:
        """Whether a time is neither too early nor too late."""
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


EVERYTHING = ConversationFilter()
"""The filter that limits nothing."""


def _is(value: UUID | str | None, wanted: UUID | str | None) -> bool:
    return wanted is None or str(value) == str(wanted)
