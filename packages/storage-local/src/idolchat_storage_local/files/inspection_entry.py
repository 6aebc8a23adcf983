"""Turns what an inspection found into what the index keeps."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from idolchat_core import Conversation, ConversationDamaged, Message, document
from idolchat_storage_local.files.inspection import Damage, Found, Other
from idolchat_storage_local.index.entry import MARK_EVERY, Entry, fingerprint, to_time

__all__ = ["Inspection", "inspection_of", "marks_of", "turn_ids_of"]


class Inspection(NamedTuple):
    """A file as it is, the turns in it, and where its messages begin (position, byte).

    ``is_whole`` says that all of it was read, so that this stands in place of what was known before.
    """

    entry: Entry
    turn_ids: Sequence[str]
    marks: Sequence[tuple[int, int]]
    is_whole: bool


def inspection_of(
    found: Found | Other | Damage, conversation_id: UUID, place: str, status: os.stat_result, known: Entry | None
) -> Inspection:
    """Describe a file that was read just now, while nobody could write to it."""
    if isinstance(found, Found):
        try:
            return _describe_lines(found, conversation_id, place, status, known)
        except ConversationDamaged as error:
            found = Damage(0, str(error), None)
    if isinstance(found, Other):
        entry = Entry.of(found.conversation, place, form="other", length=status.st_size, mtime_ns=status.st_mtime_ns)
        return Inspection(entry, turn_ids_of(found.conversation.messages), (), is_whole=True)
    return _describe_damage(found, conversation_id, place, status, known)


def turn_ids_of(messages: Iterable[Message]) -> list[str]:
    """List the turns that messages belong to."""
    return [str(message.turn_id) for message in messages if message.turn_id is not None]


def marks_of(start: int, lines: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return where every so many-th message begins, of messages whose text begins at ``start`` with a line end."""
    marks = []
    for position, line in enumerate(lines):
        start += 1 if position == 0 else 2
        if position and position % MARK_EVERY == 0:
            marks.append((position, start))
        start += len(line)
    return marks


def _describe_lines(
    found: Found, conversation_id: UUID, place: str, status: os.stat_result, known: Entry | None
) -> Inspection:
    opening = found.opening
    if opening is None and known is not None:
        opening = {
            "created_at": to_time(known.created_at),
            "user_id": known.user_id,
            "character_id": known.character_id,
        }
    conversation = document.from_parts({**(opening or {}), **found.fields, "messages": []}, conversation_id)
    entry = Entry.of(conversation, place, form="lines", length=status.st_size, mtime_ns=status.st_mtime_ns)
    entry = entry._replace(
        body_end=found.body_end, fingerprint=fingerprint(found.before), message_count=found.message_count
    )
    return Inspection(entry, found.turn_ids, found.marks, is_whole=found.opening is not None)


def _describe_damage(
    found: Damage, conversation_id: UUID, place: str, status: os.stat_result, known: Entry | None
) -> Inspection:
    changed_at = to_time(status.st_mtime_ns // 1000)
    conversation = found.readable or Conversation(id=conversation_id, created_at=changed_at, updated_at=changed_at)
    entry = Entry.of(conversation, place, form="damaged", length=status.st_size, mtime_ns=status.st_mtime_ns)
    if known is not None:
        # Who owns it may stand in the part that cannot be read; how much there was tells a loss from a torn write.
        entry = entry._replace(
            message_count=max(known.message_count, entry.message_count),
            user_id=known.user_id,
            character_id=known.character_id,
            created_at=known.created_at,
            updated_at=known.updated_at,
            group_ids=known.group_ids,
        )
    return Inspection(
        entry._replace(problem=f"from byte {found.offset} on: {found.reason}"),
        turn_ids_of(conversation.messages),
        (),
        is_whole=True,
    )
