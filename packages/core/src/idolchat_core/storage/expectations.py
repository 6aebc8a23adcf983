"""Whether a conversation is as its writer believes: the conflicts that every storage reports in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from idolchat_core.errors import RevisionMismatch, StorageConflict
from idolchat_core.models import Message
from idolchat_core.storage import document

__all__ = ["check_count", "check_revision", "is_repeated"]


def check_count(conversation_id: UUID, actual_count: int, expected_count: int) -> None:
    """Raise ``StorageConflict`` unless a conversation holds as many messages as its writer believes."""
    if actual_count != expected_count:
        raise StorageConflict(
            f"conversation {conversation_id} holds {actual_count} messages, not {expected_count}",
            actual_count=actual_count,
        )


def check_revision(conversation_id: UUID, revision: str, expected_revision: str | None) -> None:
    """Raise ``RevisionMismatch`` unless a conversation has the revision that its writer read; None expects none."""
    if expected_revision is not None and revision != expected_revision:
        raise RevisionMismatch(
            f"conversation {conversation_id} has been changed since it was read: its revision is {revision}, not"
            f" {expected_revision}; read it again"
        )


def is_repeated(stored: Sequence[Message], messages: Sequence[Message], *, expected_count: int) -> bool:
    """Whether a call of ``Storage.append`` was made before: these very messages stand where it would put them."""
    if len(stored) == expected_count:
        return False
    there = stored[expected_count : expected_count + len(messages)] if expected_count >= 0 else ()
    return [document.line(message) for message in there] == [document.line(message) for message in messages]
