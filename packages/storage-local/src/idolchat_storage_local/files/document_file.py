"""A conversation's file, open and locked: what is added to it, written in one piece, and made durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from idolchat_core import StorageConflict, check_revision, document
from idolchat_storage_local.files import redo_log
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.footer import Footer, closing_checksum, read_lines, revision
from idolchat_storage_local.files.group_commit import FileSync, Job
from idolchat_storage_local.index.entry import (
    FINGERPRINT_SIZE,
    MARK_EVERY,
    Entry,
    fingerprint,
    group_ids_of,
    in_microseconds,
)

__all__ = ["Append", "DocumentFile", "Update", "put_back"]


class Append(NamedTuple):
    """Messages to add, each as its line; ``turn_ids`` are those that they name."""

    conversation_id: UUID
    lines: Sequence[bytes]
    turn_ids: Sequence[str]
    expected_count: int
    updated_at: datetime
    head: str | None
    expected_revision: str | None


class Update(NamedTuple):
    """Fields of the closing to set, or to remove where the value is None."""

    conversation_id: UUID
    fields: Mapping[str, Any]
    expected_count: int
    expected_revision: str | None


class DocumentFile:
    """Collects changes to one file; ``commit`` writes them.

    This is the one place that knows how a change reaches the disk: behind ``commit`` it could as well be a journal
    that many conversations share.
    """

    def __init__(
        self,
        disk: Disk,
        fd: int,
        entry: Entry,
        footer: Footer,
        *,
        device: int,
        revisions: Sequence[str],
        mark_after: Callable[[int], tuple[int, int] | None],
    ) -> None:
        self.revision = revisions[0]
        self._revisions = revisions
        self._disk = disk
        self._mark_after = mark_after
        self._fd = fd
        self._device = device
        self._entry = entry
        self._tail = footer
        self._fields = footer.fields
        self._added: list[bytes] = []
        self._added_lines: list[bytes] = []
        self._unsure = False
        self.turn_ids: list[str] = []
        self.marks: list[tuple[int, int]] = []

    @property
    def count(self) -> int:
        """How many messages there are, those to be written included."""
        return self._entry.message_count + len(self._added_lines)

    @property
    def is_changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._added) or self._fields is not self._tail.fields

    def append(self, change: Append) -> bool:
        """Add messages; return False where they are there already. Raises ``StorageConflict``."""
        if change.expected_count != self.count:
            self._require_stored(change)
            self._unsure = True
            return False
        self._require_revision(change.expected_revision)
        if change.lines:
            for line in change.lines:
                self._add(line)
            self.turn_ids.extend(change.turn_ids)
            self._fields = {name: value for name, value in self._fields.items() if name != "head"}
            self._fields |= {"updated_at": change.updated_at} | ({"head": change.head} if change.head else {})
        return True

    def update(self, change: Update) -> bool:
        """Set fields. Raises ``StorageConflict``, ``InvalidRequest``."""
        if change.expected_count != self.count:
            raise self._conflict(change.expected_count)
        self._require_revision(change.expected_revision)
        fields = document.changed(self._fields, change.fields)
        document.closing_of(fields)  # refuses here, where only this change fails, what cannot be written
        self._fields = fields
        return True

    def commit(self) -> Job[Entry]:
        """Write what was added or set, and wait until it is on the disk; return the entry of the file as it is then.

        ``revision`` is that of the file then. When this raises ``OSError``, the file is to be put back as it was: see
        ``put_back``.
        """
        if self.is_changed:
            return (yield from self._write())
        if self._unsure:
            # Another process may have written what is asked for here, and died before it was synced.
            yield FileSync(self._fd, self._tail.body_end, 0, self._device)
        return self._entry

    def _add(self, line: bytes) -> None:
        position = self._entry.message_count + len(self._added)
        separator = b",\n" if position else b"\n"
        if position % MARK_EVERY == 0 and position:
            written = sum(map(len, self._added))
            self.marks.append((position, self._tail.body_end + written + len(separator)))
        self._added.append(separator + line)
        self._added_lines.append(line)

    def _write(self) -> Job[Entry]:
        added = b"".join(self._added)
        closing = document.closing_of(self._fields)
        new = added + closing
        at, old_size = self._tail.body_end, self._tail.size
        # A closing with nothing but the time can be made again. It is shorter than any message, and an update leaves
        # it as the beginning of the new one: no mixture of old and new sectors is a closing that never was. Messages
        # with a head or other new fields are one change, of which a crash must not leave the messages alone.
        has_only_time = len(self._tail.fields) == 1 and (not added or len(self._fields) == 1)
        if has_only_time and at + len(new) > old_size:
            self._disk.write(self._fd, new, at)
            yield FileSync(self._fd, at, len(new), self._device)
        else:
            block = redo_log.block(new, at=at, size=old_size)
            self._disk.write(self._fd, block, old_size)
            yield FileSync(self._fd, old_size, len(block), self._device)
            self._disk.write(self._fd, new, at)
            yield FileSync(self._fd, at, len(new), self._device)
            self._disk.truncate(self._fd, at + len(new))
        before = fingerprint((self._tail.before + added)[-FINGERPRINT_SIZE:])
        status = self._disk.stat(self._fd)
        self.revision = revision(status, closing_checksum(before, closing))
        updated_at = self._fields["updated_at"]
        known = self._entry
        return Entry(
            id=known.id,
            place=known.place,
            form="lines",
            length=at + len(new),
            body_end=at + len(added),
            fingerprint=before,
            message_count=self.count,
            mtime_ns=status.st_mtime_ns,
            user_id=known.user_id,
            character_id=known.character_id,
            created_at=known.created_at,
            updated_at=in_microseconds(updated_at) if isinstance(updated_at, datetime) else known.updated_at,
            group_ids=group_ids_of(known.character_id, self._fields.get("character_ids") or ()),
        )

    def _require_revision(self, expected: str | None) -> None:
        # What is not written yet has no revision that anybody could expect.
        if self.is_changed or expected not in self._revisions:
            check_revision(UUID(self._entry.id), self.revision if not self.is_changed else "not known yet", expected)

    def _require_stored(self, change: Append) -> None:
        wanted = len(change.lines)
        start, end = change.expected_count, change.expected_count + wanted
        if start < 0 or end > self.count:
            raise self._conflict(start)
        kept = self._entry.message_count
        stored = self._stored_lines(start, min(end, kept)) if start < kept else []
        added = self._added_lines[max(start - kept, 0) : max(end - kept, 0)]
        if [*stored, *added] != list(change.lines):
            raise self._conflict(start)

    def _stored_lines(self, start: int, end: int) -> list[bytes]:
        total = self._entry.message_count
        mark = self._mark_after(end) if end < total else None
        text = read_lines(self._disk, self._fd, self._tail, total, start, end, mark=mark)
        return [document.line(message) for message in document.parse_lines(text)]

    def _conflict(self, expected_count: int) -> StorageConflict:
        return StorageConflict(
            f"conversation {self._entry.id} holds {self.count} messages, not {expected_count}",
            actual_count=self.count,
        )


def put_back(disk: Disk, fd: int, footer: Footer) -> None:
    """Make a file end as it did before a change that failed, durably. Raises ``OSError``."""
    disk.write(fd, footer.closing, footer.body_end)
    disk.sync(fd)
    disk.truncate(fd, footer.size)
    disk.sync(fd)
