"""How far a stored history goes, and how two histories under one id relate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from uuid import UUID

from idolchat_core.errors import ConversationDamaged
from idolchat_core.storage.contract import Storage

__all__ = ["DocumentVersion", "Relation", "relate", "version_of"]


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """How many messages there are and which is the last; ``created_at`` tells one history from another of this id."""

    created_at: datetime
    updated_at: datetime
    count: int
    last_id: str | None


class Relation(StrEnum):
    """What a mirror holds, seen from the primary."""

    SAME = auto()
    BEHIND = auto()
    AHEAD = auto()
    OTHER = auto()


async def version_of(storage: Storage, conversation_id: UUID) -> DocumentVersion:
    """Return how far a conversation goes, by reading a page. Raises as ``read_page``, and ``ConversationDamaged``."""
    page = await storage.read_page(conversation_id, limit=1)
    found = page.conversation
    if found.status == "damaged":
        raise ConversationDamaged(f"conversation {conversation_id} can be read only in part")
    last_id = str(found.messages[-1].id) if found.messages else None
    return DocumentVersion(found.created_at, found.updated_at, page.total, last_id)


async def relate(
    conversation_id: UUID, mine: DocumentVersion, theirs: DocumentVersion, *, primary: Storage, mirror: Storage
) -> Relation:
    """Return how what the mirror holds relates to what the primary holds, by the ids of messages."""
    if mine.count == theirs.count:
        is_one = mine.last_id == theirs.last_id if mine.count else mine.created_at == theirs.created_at
        return Relation.SAME if is_one else Relation.OTHER
    longer, shorter = (primary, theirs) if theirs.count < mine.count else (mirror, mine)
    if shorter.count:
        page = await longer.read_page(conversation_id, limit=1, before=shorter.count)
        is_one = [str(message.id) for message in page.conversation.messages] == [shorter.last_id]
    else:
        is_one = mine.created_at == theirs.created_at
    if not is_one:
        return Relation.OTHER
    return Relation.BEHIND if longer is primary else Relation.AHEAD
