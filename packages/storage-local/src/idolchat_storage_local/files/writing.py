"""Conversations as a whole: create, put, delete; and the changes to their files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple
from uuid import UUID

from idolchat_core import (
    Conversation,
    ConversationDamaged,
    ConversationExists,
    InvalidRequest,
    StorageConflict,
    check_revision,
    document,
)
from idolchat_storage_local.files.data_folder import parent_of
from idolchat_storage_local.files.document_file import Append, DocumentFile, Update
from idolchat_storage_local.files.footer import closing_checksum, revision
from idolchat_storage_local.files.group_commit import FolderSync, Job, Locked, Syncs, run_alone, run_together
from idolchat_storage_local.files.inspection_entry import marks_of, turn_ids_of
from idolchat_storage_local.files.open_files import Files, Opened
from idolchat_storage_local.index.entry import FINGERPRINT_SIZE, Entry, fingerprint

__all__ = ["Written", "change", "create", "create_now", "delete", "put", "put_many", "replace", "take", "write_out"]


class Written(NamedTuple):
    """A conversation in the form that its file has; its messages need not be in ``about``."""

    about: Conversation
    message_count: int
    turn_ids: Sequence[str]
    body: bytes
    closing: bytes
    marks: Sequence[tuple[int, int]]


def write_out(conversation: Conversation) -> Written:
    """Write a conversation as its file is to be. Raises ``InvalidRequest``."""
    opening = document.opening(conversation)
    lines = [document.line(message) for message in conversation.messages]
    body = opening + b"\n" * bool(lines) + b",\n".join(lines)
    turn_ids, closing = turn_ids_of(conversation.messages), document.closing(conversation)
    return Written(conversation, len(lines), turn_ids, body, closing, marks_of(len(opening), lines))


def take(data: bytes, conversation_id: UUID) -> Written:
    """Prepare a document to be written: as it is where it is in our form, else in our form.

    Raises ``ConversationDamaged``, ``InvalidRequest``.
    """
    try:
        written = _as_it_is(data, conversation_id)
    except (ValueError, ConversationDamaged):
        written = None
    return written or write_out(document.decode(data, conversation_id))


def _as_it_is(data: bytes, conversation_id: UUID) -> Written | None:
    """Read all of a document in our form, one message a line. Raises ``ValueError``, ``ConversationDamaged``."""
    body_end = data.rfind(b"\n")
    body, closing = data[:body_end], data[body_end:]
    first, line_end, rest = body.partition(b"\n")
    opening, lines = document.parse_opening(first), rest.split(b",\n") if line_end else []
    if opening["id"] != str(conversation_id) or rest.count(b"\n") != max(len(lines) - 1, 0):
        return None
    messages = [document.parse_line(line) for line in lines]
    about = document.from_parts({**opening, **document.parse_closing(closing), "messages": []}, conversation_id)
    return Written(about, len(lines), turn_ids_of(messages), body, closing, marks_of(len(first), lines))


def create(files: Files, written: Written) -> Job[str]:
    """Create a conversation's file, unless it has one; return its revision. Raises ``ConversationExists``."""
    conversation_id = written.about.id
    path = files.folder.document(conversation_id)
    files.undo_failed(conversation_id)
    temporary = yield from files.folder.prepare(path, written.body + written.closing)
    try:
        yield Locked(files.folder.arrivals)
        if any(map(files.disk.exists, files.folder.places(conversation_id))):
            raise ConversationExists(f"there is a conversation {conversation_id} already")
        files.disk.replace(temporary.path, path)
    except BaseException:
        with suppress(FileNotFoundError):  # another process has deleted a message of this conversation just now
            files.disk.unlink(temporary.path)
        raise
    try:
        yield FolderSync(parent_of(path), temporary.status.st_dev)
    except OSError:
        files.remove_made(conversation_id, temporary.status)
        raise
    entry = _note(files, path, written, temporary.mtime_ns)
    return revision(temporary.status, closing_checksum(entry.fingerprint, written.closing))


def create_now(files: Files, conversation: Conversation) -> str:
    """Write out and create a conversation; return its revision. Raises as ``write_out`` and ``create``."""
    return run_alone(files.disk, create(files, write_out(conversation)))


def put(files: Files, written: Written) -> None:
    """Write a conversation's file in place of what it has; a damaged one is kept aside."""
    conversation_id = written.about.id
    while files.folder.find(conversation_id) is None:
        try:
            run_alone(files.disk, create(files, written))
        except ConversationExists:
            continue
        return
    with files.for_replacing(conversation_id) as opened:
        replace(files, opened, written, keep=opened.entry.form == "damaged")


def replace(files: Files, opened: Opened, written: Written, *, keep: bool) -> str | None:
    """Replace a conversation's file, which is open and locked; return where the old one is kept, if it is."""
    conversation_id = written.about.id
    path = files.folder.document(conversation_id)
    kept_as = None
    if keep:
        data = files.disk.read(opened.fd, files.disk.stat(opened.fd).st_size, 0)
        kept_as = run_alone(files.disk, files.folder.set_aside(conversation_id, data, suffix="json"))
    new = run_alone(files.disk, files.folder.write_whole(path, written.body + written.closing))
    _unlink(files, files.folder.strays(conversation_id))
    _note(files, path, written, new.mtime_ns)
    return kept_as and files.folder.place_of(kept_as)


def put_many(files: Files, many: Sequence[Written]) -> None:
    """Write conversations' files as ``put`` does, waiting for the disk together for those that have none."""
    with Syncs(files.disk, files.folder.root) as syncs:
        outcomes = run_together(syncs, [create(files, written) for written in many])
    for written, outcome in zip(many, outcomes, strict=True):
        if isinstance(outcome, ConversationExists):
            put(files, written)
        elif isinstance(outcome, Exception):
            raise outcome


def delete(files: Files, conversation_id: UUID, *, expected_revision: str | None) -> None:
    """Remove a conversation's file, and what was kept of it. Raises ``ConversationNotFound``, ``RevisionMismatch``."""
    folder = files.folder
    with files.for_replacing(conversation_id) as opened:
        check_revision(conversation_id, opened.revision, expected_revision)
        _unlink(files, [*folder.set_aside_for(conversation_id), *folder.strays(conversation_id)])
        _unlink(files, [folder.document(conversation_id)])
        files.index.forget(conversation_id)


def _unlink(files: Files, paths: Iterable[str]) -> None:
    gone = [path for path in paths if files.disk.exists(path)]
    for path in gone:
        files.disk.unlink(path)
    for parent in {parent_of(path) for path in gone}:
        files.disk.sync_folder(parent)


def _note(files: Files, path: str, written: Written, mtime_ns: int) -> Entry:
    """Remember a file that was just written; should somebody have changed it since, it is seen to be another."""
    about = written.about
    length = len(written.body) + len(written.closing)
    entry = Entry.of(about, files.folder.place_of(path), form="lines", length=length, mtime_ns=mtime_ns)
    entry = entry._replace(
        body_end=len(written.body),
        fingerprint=fingerprint(written.body[-FINGERPRINT_SIZE:]),
        message_count=written.message_count,
    )
    files.index.note(about.id, entry, written.turn_ids, written.marks, is_whole=True)
    return entry


def change(
    files: Files, conversation_id: UUID, changes: Sequence[Append | Update], *, patient: bool
) -> Job[list[Exception | str | None]]:
    """Make changes to one file, in order, and wait for the disk once.

    Returns each one's error, or the revision after it, or None where it was made before. Raises as
    ``Files.for_writing``.
    """
    with files.for_writing(conversation_id, patient=patient) as opened:
        mark_after = partial(files.index.mark_after, conversation_id)
        file = DocumentFile(
            files.disk,
            opened.fd,
            opened.entry,
            opened.footer,
            device=opened.device,
            revisions=opened.revisions,
            mark_after=mark_after,
        )
        results = [_apply(file, one) for one in changes]
        try:
            entry = yield from file.commit()
        except OSError:
            files.put_back(opened)
            raise
        if entry is not opened.entry:
            files.index.note(conversation_id, entry, file.turn_ids, file.marks)
    return _with_revisions(results, file.revision)


def _apply(file: DocumentFile, one: Append | Update) -> Exception | bool:
    try:
        return file.append(one) if isinstance(one, Append) else file.update(one)
    except (StorageConflict, InvalidRequest) as error:
        return error


def _with_revisions(results: Sequence[Exception | bool], revision: str) -> list[Exception | str | None]:
    """Name the state after each change: the last one's is the file's, and of those before it nobody finds any more."""
    if len(results) == 1 and results[0] is True:
        return [revision]
    last = max((index for index, result in enumerate(results) if result is True), default=0)
    named: list[Exception | str | None] = []
    for index, result in enumerate(results):
        if isinstance(result, bool):
            named.append((revision if index == last else f"{revision}.{last - index}") if result else None)
        else:
            named.append(result)
    return named
