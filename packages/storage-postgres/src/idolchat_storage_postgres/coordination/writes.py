"""What turns write to conversations, as rows, and what the database answers."""

from __future__ import annotations

import asyncpg

from idolchat_core import Conversation, NewMessages, Page
from idolchat_storage_postgres.conversations import new_version
from idolchat_storage_postgres.coordination.statements import Appended, Created, Taken
from idolchat_storage_postgres.rows import message_rows, read_conversation, row_of, stored_id

__all__ = ["Write", "expected_version", "is_outdated", "page_of", "revision_of", "rows_of"]

type Write = Conversation | NewMessages


async def rows_of(write: Write | None) -> Created | Appended | None:
    """Turn what is to be written into rows."""
    if write is None:
        return None
    messages = await message_rows(write.messages)
    if isinstance(write, Conversation):
        return Created(row_of(write), messages, new_version())
    head = stored_id(write.head) if write.head is not None else None
    may_follow = write.on_added is not None
    return Appended(messages, write.expected_count, write.updated_at, head, expected_version(write), may_follow)


async def revision_of(taken: Taken, write: Write | None) -> str | None:
    """Return the revision of what was written; its writer is told what others had added before."""
    if taken.now is not None and isinstance(write, NewMessages) and write.on_added is not None:
        write.on_added(await page_of(taken.now), taken.now["is_added"])
    return str(taken.version) if taken.version is not None else None


async def page_of(row: asyncpg.Record) -> Page:
    """Read a row as ``READ_PAGE`` gives."""
    start, total, revision = row["start"], row["count"], str(row["version"])
    part = await read_conversation(row, expected=total - start)
    return Page(conversation=part, start=start, total=total, revision=revision)


def expected_version(write: NewMessages) -> int | None:
    """Return the version that a conversation is to have; None where any will do."""
    return int(write.expected_revision) if write.expected_revision is not None else None


def is_outdated(write: Write, version: int | None) -> bool:
    """Whether a conversation is certainly not as is expected, as far as its version is known."""
    if version is None or (isinstance(write, NewMessages) and write.on_added is not None):
        return False
    return isinstance(write, Conversation) or write.expected_revision not in (None, str(version))
