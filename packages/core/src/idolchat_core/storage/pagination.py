"""Lists of conversations made in memory, for storages that have nothing better."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from idolchat_core.errors import InvalidRequest
from idolchat_core.models import Conversation, ConversationList, ConversationSummary
from idolchat_core.storage.filters import ConversationFilter

__all__ = ["cursor", "cut_list", "place", "summary"]


def summary(conversation: Conversation) -> ConversationSummary:
    """Describe a conversation in a line."""
    return ConversationSummary(
        id=conversation.id,
        user_id=conversation.user_id,
        character_id=conversation.character_id,
        character_ids=conversation.character_ids,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        message_count=len(conversation.messages),
        status="damaged" if conversation.status else "ok",
    )


def cut_list(
    summaries: Iterable[ConversationSummary], matching: ConversationFilter, *, limit: int, before: str | None
) -> ConversationList:
    """Return a page of these, as ``Storage.list`` promises. Raises ``InvalidRequest``."""
    end = place(before) if before is not None else None
    found = [one for one in summaries if matching.includes(one) and (end is None or _order(one) < end)]
    found.sort(key=_order, reverse=True)
    page = found[:limit]
    return ConversationList(data=page, next=cursor(page[-1]) if page and len(found) > limit else None)


def cursor(last: ConversationSummary) -> str:
    """Name the place behind a conversation, for ``before``."""
    return f"{last.updated_at.isoformat()}~{last.id}"


def place(before: str) -> tuple[datetime, UUID]:
    """Read what ``cursor`` gave. Raises ``InvalidRequest``."""
    time, _, conversation_id = before.partition("~")
    try:
        return datetime.fromisoformat(time).astimezone(UTC), UUID(conversation_id)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("before is not the `next` of a page of this list", param="before") from error


def _order(summary: ConversationSummary) -> tuple[datetime, UUID]:
    return summary.updated_at, summary.id
