"""Reads conversations: pages from the end of the file, or all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from uuid import UUID

from idolchat_core import Conversation, ConversationDamaged, ConversationNotFound, Message, Page, document
from idolchat_storage_local.files.footer import Footer, read_lines
from idolchat_storage_local.files.open_files import Files, Opened, damaged
from idolchat_storage_local.files.salvage import salvage

__all__ = ["messages_in", "read_opened", "read_page", "read_revised", "read_whole", "revisions"]

_OPENING_SIZE = 512
_BLOCK = 128 * 1024
"""Parsed at once: small enough that other threads get their turn in between."""


def read_page(files: Files, conversation_id: UUID, *, limit: int, before: int | None) -> Page:
    """See ``Storage.read_page``."""
    try:
        return _read_page(files, conversation_id, limit=limit, before=before, verify=False)
    except ValueError:
        # A line that was whole when it was written is not: tell what is left, once and for all.
        return _read_page(files, conversation_id, limit=limit, before=before, verify=True)


def read_whole(files: Files, conversation_id: UUID) -> Conversation:
    """See ``Storage.read``."""
    try:
        return _read_whole(files, conversation_id, verify=False)
    except ValueError:
        return _read_whole(files, conversation_id, verify=True)


def read_revised(files: Files, conversation_id: UUID) -> tuple[bytes, str]:
    """See ``Storage.read_revised``."""
    with files.for_reading(conversation_id) as opened:
        if opened.footer is not None:
            return files.disk.read(opened.fd, opened.footer.body_end, 0) + opened.footer.closing, opened.revision
        if opened.entry.form == "damaged":
            raise damaged(opened.entry)
        return document.encode(_read_other(files, opened, conversation_id)), opened.revision


def revisions(files: Files, conversation_ids: Iterable[UUID]) -> dict[UUID, str]:
    """See ``Storage.revisions``: the end of each file tells it."""
    found: dict[UUID, str] = {}
    for conversation_id in conversation_ids:
        with suppress(ConversationNotFound, ConversationDamaged), files.for_reading(conversation_id) as opened:
            if opened.entry.form != "damaged":
                found[conversation_id] = opened.revision
    return found


def _read_page(files: Files, conversation_id: UUID, *, limit: int, before: int | None, verify: bool) -> Page:
    with files.for_reading(conversation_id, verify=verify) as opened:
        if opened.footer is None:
            whole = _read_other(files, opened, conversation_id)
            start, end = _bounds(len(whole.messages), limit, before)
            part = whole.model_copy(update={"messages": whole.messages[start:end]})
            return Page(conversation=part, start=start, total=len(whole.messages), revision=opened.revision)
        start, end = _bounds(opened.entry.message_count, limit, before)
        total = opened.entry.message_count
        mark = files.index.mark_after(conversation_id, end) if end < total else None
        text = read_lines(files.disk, opened.fd, opened.footer, total, start, end, mark=mark)
        conversation = _conversation(files, opened, opened.footer, conversation_id, document.parse_lines(text))
        return Page(conversation=conversation, start=start, total=total, revision=opened.revision)


def _bounds(total: int, limit: int, before: int | None) -> tuple[int, int]:
    end = total if before is None else max(0, min(before, total))
    return max(0, end - max(limit, 0)), end


def _read_whole(files: Files, conversation_id: UUID, *, verify: bool) -> Conversation:
    with files.for_reading(conversation_id, verify=verify) as opened:
        return read_opened(files, opened, conversation_id)


def read_opened(files: Files, opened: Opened, conversation_id: UUID) -> Conversation:
    """Read all of an open file. Raises ``ConversationDamaged`` when no message can be read, ``ValueError``."""
    if opened.footer is None:
        return _read_other(files, opened, conversation_id)
    messages = opened.messages
    if messages is None:
        messages = messages_in(files.disk.read(opened.fd, opened.footer.body_end, 0))
    return _conversation(files, opened, opened.footer, conversation_id, messages)


def messages_in(body: bytes) -> list[Message]:
    """Read the messages of a document's body, or of a part of it that begins with what stands before their lines."""
    return [message for block in _blocks(body) for message in document.parse_lines(block)]


def _read_other(files: Files, opened: Opened, conversation_id: UUID) -> Conversation:
    data = opened.repaired
    if data is None:
        data = files.disk.read(opened.fd, files.disk.stat(opened.fd).st_size, 0)
    if opened.entry.form == "other":
        return document.decode(data, conversation_id)
    try:
        readable = salvage(data, conversation_id)
    except ConversationDamaged:
        raise damaged(opened.entry) from None
    # The index may know whose it is where that cannot be read any more.
    known = opened.entry.summary()
    owners = {
        "user_id": known.user_id,
        "character_id": known.character_id,
        "character_ids": known.character_ids,
    }
    return readable.model_copy(
        update={name: owner for name, owner in owners.items() if getattr(readable, name) is None}
    )


def _conversation(
    files: Files, opened: Opened, footer: Footer, conversation_id: UUID, messages: Sequence[Message]
) -> Conversation:
    opening = files.disk.read(opened.fd, _OPENING_SIZE, 0)
    if b"\n" not in opening:
        opening = files.disk.read(opened.fd, footer.body_end + 1, 0)
    fields = {**document.parse_opening(opening.partition(b"\n")[0]), **footer.fields, "messages": []}
    return document.from_parts(fields, conversation_id).model_copy(update={"messages": tuple(messages)})


def _blocks(body: bytes) -> Iterator[bytes]:
    """Cut the lines of a document's body into blocks of whole lines, without the opening."""
    start = body.find(b"\n") + 1 or len(body)
    while start < len(body):
        end = body.find(b"\n", start + _BLOCK)
        end = len(body) if end < 0 else end
        yield body[start:end].removesuffix(b",")
        start = end + 1
