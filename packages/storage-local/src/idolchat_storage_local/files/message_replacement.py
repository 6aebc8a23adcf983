"""Replaces messages of a document, so that nothing of the old ones stays in the data folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from uuid import UUID

from idolchat_core import (
    ConversationDamaged,
    ConversationNotFound,
    Message,
    StorageUnavailable,
    document,
)
from idolchat_storage_local.files import reading, writing
from idolchat_storage_local.files.data_folder import is_temporary, parent_of
from idolchat_storage_local.files.open_files import Files, Opened, damaged
from idolchat_storage_local.index.entry import Entry

__all__ = ["Replaced", "Unindexed", "put", "replace_message"]

type Replaced = Sequence[tuple[int, Message]]
"""Positions of messages that are replaced, each with the message that was there."""

type Unindexed = Callable[[Entry, Replaced], AbstractContextManager[None]]
"""Takes a conversation as its file is, and messages of it; their words are in no index while, and after, the file is
replaced within it."""

_ATTEMPTS = 5


def replace_message(files: Files, conversation_id: UUID, message: Message, *, unindexed: Unindexed) -> None:
    """See ``Storage.replace_message``.

    What is beside the document goes first: while the old message is there, all that is lost are copies.
    """
    for _ in range(_ATTEMPTS):
        files.mend(conversation_id)  # brings it into our form and its place, or tells that it is damaged
        with files.for_replacing(conversation_id) as opened:
            if opened.entry.form == "lines" and files.folder.is_in_place(opened.path):
                _replace(files, conversation_id, opened, message, unindexed=unindexed)
                return
    raise StorageUnavailable(f"conversation {conversation_id} changes faster than it can be written; try again")


def _replace(files: Files, conversation_id: UUID, opened: Opened, message: Message, *, unindexed: Unindexed) -> None:
    try:
        before = reading.read_opened(files, opened, conversation_id)
    except ValueError:
        raise damaged(opened.entry._replace(problem="a line of it is no message")) from None
    if before.status == "damaged":
        raise ConversationDamaged(f"conversation {conversation_id} is damaged; repair it first")
    changed = writing.write_out(document.with_message(before, message))
    replaced = [(place, there) for place, there in enumerate(before.messages) if there.id == message.id]
    _replace_file(files, opened, changed, replaced, unindexed=unindexed)


def put(files: Files, written: writing.Written, *, unindexed: Unindexed) -> None:
    """Put a document as ``writing.put`` does; of messages that were deleted in it nothing stays, here either."""
    if b'"deleted_at":' in written.body:
        with suppress(ConversationNotFound), files.for_replacing(written.about.id) as opened:
            replaced = _deleted_by(written, files, opened)
            if replaced:
                _replace_file(files, opened, written, replaced, unindexed=unindexed)
                return
    writing.put(files, written)


def _deleted_by(written: writing.Written, files: Files, opened: Opened) -> Replaced:
    """Find the messages of a file that are deleted in what it is to be; none in a file that is not sound."""
    if opened.entry.form == "damaged":
        return ()
    try:
        before = reading.read_opened(files, opened, written.about.id)
    except ValueError:
        return ()
    after = {message.id for message in reading.messages_in(written.body) if message.deleted_at is not None}
    places = enumerate(before.messages)
    return [(place, there) for place, there in places if there.deleted_at is None and there.id in after]


def _replace_file(
    files: Files, opened: Opened, written: writing.Written, replaced: Replaced, *, unindexed: Unindexed
) -> None:
    ids = [str(message.id).encode() for _, message in replaced]
    for path in _copies(files, opened, ids):
        with suppress(FileNotFoundError):  # whoever wrote it was faster
            files.disk.unlink(path)
        files.disk.sync_folder(parent_of(path))
    with unindexed(opened.entry, replaced):
        writing.replace(files, opened, written, keep=False)


def _copies(files: Files, opened: Opened, message_ids: Sequence[bytes]) -> Iterator[str]:
    """Find where else messages may stand: bytes set aside, and files whose writers have died."""
    folder, conversation_id = files.folder, UUID(opened.entry.id)
    yield from list(folder.set_aside_for(conversation_id))
    strays = [path for path in folder.strays(conversation_id) if path != opened.path]
    yield from (path for path in strays if files.disk.exists(path))
    name = f".{conversation_id}."
    for place in {parent_of(folder.document(conversation_id)), folder.conversations, folder.root, folder.damaged}:
        yield from (path for path in _temporaries(files, place) if path.rpartition("/")[2].startswith(name))
    for namespace in files.disk.names(folder.records) if files.disk.exists(folder.records) else ():
        temporaries = _temporaries(files, f"{folder.records}/{namespace}")
        yield from (path for path in temporaries if any(one in _bytes_of(files, path) for one in message_ids))


def _temporaries(files: Files, place: str) -> list[str]:
    if not os.path.isdir(place):  # noqa: PTH112  paths are strings here
        return []
    return [f"{place}/{name}" for name in files.disk.names(place) if is_temporary(name)]


def _bytes_of(files: Files, path: str) -> bytes:
    try:
        fd = files.disk.open(path, writable=False)
    except FileNotFoundError:
        return b""
    try:
        return files.disk.read(fd, files.disk.stat(fd).st_size, 0)
    finally:
        files.disk.close(fd)
