"""Opens conversations' files: known ones at once, others after a look at them.

A look tells what a file is, mends what a crash has torn, and brings other forms into ours before the first write.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple
from uuid import UUID

from idolchat_core import ConversationDamaged, ConversationNotFound, Message, StorageUnavailable, document
from idolchat_storage_local.files.data_folder import DataFolder, parent_of
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.document_file import put_back
from idolchat_storage_local.files.footer import Footer, read_footer, revision
from idolchat_storage_local.files.group_commit import run_alone
from idolchat_storage_local.files.inspection import Found, Torn, inspect
from idolchat_storage_local.files.inspection_entry import Inspection, inspection_of
from idolchat_storage_local.index.entry import Entry
from idolchat_storage_local.index.write_behind import WriteBehindIndex

__all__ = ["Files", "NeedsSlowPath", "Opened", "Writable", "damaged"]

log = logging.getLogger(__name__)

_LOOKS = 10
_WRITTEN_BACK_S = 300
"""Age from which on a file is on the disk without anybody's sync: ten times what Linux allows itself."""
_WORTH_KEEPING = 64
"""Bytes of a torn change from which on they may hold some of a message."""


class NeedsSlowPath(Exception):
    """A file is locked, or not as it is known: to be opened where nobody else has to wait."""


class Opened(NamedTuple):
    """An open file and what is known of it; ``footer`` is None when it is not in our form.

    ``status`` is the file's when it was looked at. ``repaired`` is what it would hold if it could be mended; what it
    does hold is then not to be read. ``messages`` are all there are, where they were read on the way.
    """

    fd: int
    path: str
    entry: Entry
    footer: Footer | None
    status: os.stat_result
    repaired: bytes | None = None
    messages: Sequence[Message] | None = None

    @property
    def revision(self) -> str:
        """The file's revision."""
        return revision(self.status, self.footer.checksum if self.footer is not None else 0)


class Writable(NamedTuple):
    """An open, locked file in our form, on the file system ``device``.

    ``revisions`` are the one that it has, and the one that it had in the form that it was just adopted from.
    """

    fd: int
    entry: Entry
    footer: Footer
    device: int
    revisions: Sequence[str]


def damaged(entry: Entry) -> ConversationDamaged:
    """Make the error that says what is wrong with a file and how to mend it."""
    return ConversationDamaged(
        f"conversation {entry.id} is damaged: {entry.place}, {entry.problem}. The file is kept as it is and takes no"
        " changes: make it valid JSON, put a good copy in its place, or delete the conversation"
    )


class _Undo(NamedTuple):
    """A change that failed and is still to be undone, while the file is as it was left.

    ``footer`` is how the file ended before; without one, there was no file.
    """

    left_as: tuple[int, int, int]
    footer: Footer | None


class Files:
    """The conversations' files in a data folder."""

    def __init__(self, folder: DataFolder, disk: Disk, index: WriteBehindIndex) -> None:
        self.folder = folder
        self.disk = disk
        self.index = index
        self._to_undo: dict[UUID, _Undo] = {}

    @contextmanager
    def for_reading(
        self, conversation_id: UUID, *, verify: bool = False, changed_only: bool = False
    ) -> Generator[Opened]:
        """Open a file; what stands before its closing does not change while it is open.

        With ``verify`` it is read from end to end first, whatever is known of it; with ``changed_only``, the index
        is told of it only where it is not as it is known.
        Raises ``ConversationNotFound``, ``OSError``, ``StorageUnavailable``.
        """
        is_refused = False
        for _ in range(_LOOKS):
            fd, path = self._open(conversation_id, writable=False)
            try:
                self.disk.wait_for_lock(fd, path, shared=True)
                opened = self._look(conversation_id, fd, path, verify=verify, changed_only=changed_only)
                self.disk.unlock(fd)
                if isinstance(opened, Torn) and is_refused:
                    opened = self._as_mended(conversation_id, fd, path, opened)
                if isinstance(opened, Opened):
                    yield opened
                    return
            finally:
                self.disk.close(fd)
            if isinstance(opened, Torn):
                try:
                    self.mend(conversation_id)
                except OSError as error:
                    facts = {"conversation_id": str(conversation_id), "reason": error.strerror}
                    log.warning("a change that a crash had cut cannot be put right yet", extra=facts)
                    is_refused = True
        raise StorageUnavailable(f"conversation {conversation_id} changes faster than it can be read; try again")

    @contextmanager
    def for_writing(self, conversation_id: UUID, *, patient: bool) -> Generator[Writable]:
        """Open a file in our form, locked against every other writer.

        One that takes more than that raises ``NeedsSlowPath``, unless ``patient``. Raises ``ConversationNotFound``,
        ``ConversationDamaged``, ``OSError``, ``StorageUnavailable``.
        """
        adopted: tuple[str, int] | None = None
        for _ in range(_LOOKS):
            fd, path = self._open(conversation_id, writable=True, patient=patient)
            try:
                self._lock(fd, path, patient=patient)
                opened = self._look(conversation_id, fd, path, writable=True, patient=patient)
                if isinstance(opened, Torn):
                    self._mend(conversation_id, fd, opened)
                elif opened is not None and opened.footer is not None and self.folder.is_in_place(path):
                    before, mtime_ns = adopted or ("", 0)
                    former = (before,) if mtime_ns == opened.status.st_mtime_ns else ()
                    yield Writable(fd, opened.entry, opened.footer, opened.status.st_dev, (opened.revision, *former))
                    return
                elif opened is not None:
                    adopted = opened.revision, self._adopt(conversation_id, opened, patient=patient)
            finally:
                self.disk.close(fd)
        raise StorageUnavailable(f"conversation {conversation_id} changes faster than it can be written; try again")

    @contextmanager
    def for_replacing(self, conversation_id: UUID) -> Generator[Opened]:
        """Open a file whatever it holds, locked against every other reader and writer.

        Raises ``ConversationNotFound``, ``OSError``, ``StorageUnavailable``.
        """
        for _ in range(_LOOKS):
            fd, path = self._open(conversation_id, writable=True)
            try:
                self.disk.wait_for_lock(fd, path)
                opened = self._look(conversation_id, fd, path, writable=True)
                if isinstance(opened, Torn):
                    self._mend(conversation_id, fd, opened)
                elif opened is not None:
                    yield opened
                    return
            finally:
                self.disk.close(fd)
        raise StorageUnavailable(f"conversation {conversation_id} changes faster than it can be written; try again")

    def mend(self, conversation_id: UUID) -> None:
        """Make a file whole again after a crash; it must be one that can be written. Raises as ``for_writing``."""
        with self.for_writing(conversation_id, patient=True):
            pass

    def put_back(self, opened: Writable) -> None:
        """Undo a change that failed; where that fails too, it is undone when the file is next opened."""
        try:
            put_back(self.disk, opened.fd, opened.footer)
        except OSError as error:
            left_as = _identity(self.disk.stat(opened.fd))
            self._undo_later(UUID(opened.entry.id), _Undo(left_as, opened.footer), error)

    def remove_made(self, conversation_id: UUID, status: os.stat_result) -> None:
        """Remove a file that was made and could not be made durable; where that fails too, when it is next looked for.

        ``status`` is the file's.
        """
        try:
            self.disk.unlink(self.folder.document(conversation_id))
        except OSError as error:
            self._undo_later(conversation_id, _Undo(_identity(status), None), error)

    def undo_failed(self, conversation_id: UUID | None = None) -> None:
        """Undo what failed and could not be undone then, of one conversation or of all. Raises ``OSError``.

        What a process has left that died before that stays as it is.
        """
        for key in list(self._to_undo) if conversation_id is None else [conversation_id]:
            undo = self._to_undo.get(key)
            if undo is not None and undo.footer is None:
                self._remove_left(key, undo)
            elif undo is not None and conversation_id is None:
                with suppress(ConversationNotFound):
                    self.mend(key)

    def _undo_later(self, conversation_id: UUID, undo: _Undo, error: OSError) -> None:
        self._to_undo[conversation_id] = undo
        facts = {"conversation_id": str(conversation_id), "reason": error.strerror}
        log.warning("a change that failed could not be undone yet", extra=facts)

    def _remove_left(self, conversation_id: UUID, undo: _Undo) -> None:
        path = self.folder.document(conversation_id)
        try:
            fd = self.disk.open(path, writable=True)
        except FileNotFoundError:
            self._to_undo.pop(conversation_id, None)
            return
        try:
            self.disk.wait_for_lock(fd, path)
            status = self.disk.stat(fd)
            if status.st_nlink and _identity(status) == undo.left_as:
                self.disk.unlink(path)
                self.disk.sync_folder(parent_of(path))
            self._to_undo.pop(conversation_id, None)
        finally:
            self.disk.close(fd)

    def _lock(self, fd: int, path: str, *, patient: bool) -> None:
        if patient:
            self.disk.wait_for_lock(fd, path)
        elif not self.disk.lock(fd):
            raise NeedsSlowPath

    def _open(self, conversation_id: UUID, *, writable: bool, patient: bool = True) -> tuple[int, str]:
        if self._to_undo:
            self.undo_failed(conversation_id)
        path: str | None = self.folder.document(conversation_id)
        while path is not None:
            try:
                return self.disk.open(path, writable=writable), path
            except FileNotFoundError:
                if not patient:
                    raise NeedsSlowPath from None
            except OSError:
                if self.disk.exists(path) and not self.disk.is_file(path):
                    raise self._no_file(conversation_id, path) from None
                raise
            # It may lie elsewhere, or have been moved to its place just now.
            path = self.folder.find(conversation_id)
            if path is not None and not self.disk.is_file(path) and self.disk.exists(path):
                raise self._no_file(conversation_id, path)
        raise ConversationNotFound(f"there is no conversation {conversation_id}")

    def _look(
        self,
        conversation_id: UUID,
        fd: int,
        path: str,
        *,
        writable: bool = False,
        patient: bool = True,
        verify: bool = False,
        changed_only: bool = False,
    ) -> Opened | Torn | None:
        """Return what an open, locked file is; None when it has just been replaced or removed."""
        status = self.disk.stat(fd)
        if not status.st_nlink:
            if patient:
                return None
            raise NeedsSlowPath
        if not stat.S_ISREG(status.st_mode):
            raise self._no_file(conversation_id, path)
        torn = self._left_torn(conversation_id, status)
        if torn is not None:
            return torn
        if verify:
            return self._examine(conversation_id, fd, path, status, all_of_it=True, changed_only=changed_only)
        known = self._recognised(conversation_id, fd, path, status)
        if known is not None:
            return known
        if not patient:
            raise NeedsSlowPath
        return self._examine(conversation_id, fd, path, status, writable=writable)

    def _recognised(self, conversation_id: UUID, fd: int, path: str, status: os.stat_result) -> Opened | None:
        """Describe a file that is as it is known, by its end alone."""
        footer = read_footer(self.disk, fd, status.st_size)
        for known in (self.index.known, self.index.read_again):
            entry = known(conversation_id)
            if entry is not None and footer is not None and footer.is_of(entry):
                return Opened(fd, path, entry, footer, status)
            if entry is not None and entry.form != "lines" and _is_same(entry, status):
                return Opened(fd, path, entry, None, status)
        return None

    def _no_file(self, conversation_id: UUID, path: str) -> ConversationDamaged:
        return ConversationDamaged(
            f"conversation {conversation_id} is damaged: {self.folder.place_of(path)} is no file, nor a link to one."
            " Move it away, and put the conversation's file in its place, or restore it"
        )

    def _left_torn(self, conversation_id: UUID, status: os.stat_result) -> Torn | None:
        """Return what undoes a change of ours that failed, unless somebody has written to the file since."""
        undo = self._to_undo.get(conversation_id) if self._to_undo else None
        if undo is None or undo.footer is None:
            return None
        if undo.left_as != _identity(status):
            self._to_undo.pop(conversation_id, None)
            return None
        return Torn(undo.footer.body_end, undo.footer.closing, undo.footer.size, b"")

    def _examine(
        self,
        conversation_id: UUID,
        fd: int,
        path: str,
        status: os.stat_result,
        *,
        writable: bool = False,
        all_of_it: bool = False,
        changed_only: bool = False,
    ) -> Opened | Torn:
        """Read what is not known of a file, and remember what it is."""
        known = self.index.known(conversation_id)
        if known is not None and known.is_unread:
            known = None
        found = inspect(self.disk, fd, status.st_size, conversation_id, known, all_of_it=all_of_it)
        if isinstance(found, Torn):
            return found
        about = inspection_of(found, conversation_id, self.folder.place_of(path), status, known)
        is_news = not changed_only or about.entry != known
        if is_news and self._is_durable(fd, about, known, writable=writable):
            self.index.note(conversation_id, *about)
        footer = read_footer(self.disk, fd, status.st_size) if about.entry.form == "lines" else None
        messages = found.messages if isinstance(found, Found) and about.is_whole else None
        return Opened(fd, path, about.entry, footer, status, messages=messages)

    def _is_durable(self, fd: int, about: Inspection, known: Entry | None, *, writable: bool) -> bool:
        """See to it that a file is on the disk, whose last writer may have died before it was.

        What was added is written once more where it can be: after a failed sync, the system may think it clean.
        """
        try:
            if writable and known is not None and not about.is_whole:
                added = self.disk.read(fd, about.entry.length - known.body_end, known.body_end)
                self.disk.write(fd, added, known.body_end)
            if writable or time.time() - about.entry.mtime_ns / 1e9 < _WRITTEN_BACK_S:
                self.disk.sync(fd)
        except OSError:
            if writable:
                raise
            return False
        return True

    def _as_mended(self, conversation_id: UUID, fd: int, path: str, torn: Torn) -> Opened:
        """Show a file that cannot be mended now as it would be then, and remember nothing of that."""
        status = self.disk.stat(fd)
        repaired = self.disk.read(fd, torn.at, 0) + torn.write
        conversation = document.decode(repaired, conversation_id)
        place = self.folder.place_of(path)
        entry = Entry.of(conversation, place, form="other", length=status.st_size, mtime_ns=status.st_mtime_ns)
        return Opened(fd, path, entry, None, status, repaired)

    def _mend(self, conversation_id: UUID, fd: int, torn: Torn) -> None:
        if len(torn.cut.strip(b"\0")) >= _WORTH_KEEPING:
            run_alone(self.disk, self.folder.set_aside(conversation_id, torn.cut, suffix="tail"))
        if torn.write:
            self.disk.write(fd, torn.write, torn.at)
            self.disk.sync(fd)
        self.disk.truncate(fd, torn.length)
        self.disk.sync(fd)
        facts = {"conversation_id": str(conversation_id), "cut_bytes": len(torn.cut)}
        log.warning("a change that a crash had cut was put right", extra=facts)

    def _adopt(self, conversation_id: UUID, opened: Opened, *, patient: bool) -> int:
        """Rewrite a file in our form and in its place, and return its new time, in nanoseconds.

        The original goes when the new one is durable.
        """
        if opened.entry.form == "damaged":
            raise damaged(opened.entry)
        if not patient:
            raise NeedsSlowPath
        size = self.disk.stat(opened.fd).st_size
        conversation = document.decode(self.disk.read(opened.fd, size, 0), conversation_id)
        target = self.folder.document(conversation_id)
        written = run_alone(self.disk, self.folder.write_whole(target, document.encode(conversation)))
        if opened.path != target:
            self.disk.unlink(opened.path)
            self.disk.sync_folder(parent_of(opened.path))
        log.info("a conversation was brought into the present form", extra={"conversation_id": str(conversation_id)})
        return written.mtime_ns


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_same(entry: Entry, status: os.stat_result) -> bool:
    return (entry.length, entry.mtime_ns) == (status.st_size, status.st_mtime_ns)
