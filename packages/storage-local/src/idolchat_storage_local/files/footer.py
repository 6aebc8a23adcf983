"""The end of a document's file: its closing, and the messages before it, read backwards."""

from __future__ import annotations

import os
import zlib
from typing import Any, NamedTuple

from idolchat_core import document
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.index.entry import FINGERPRINT_SIZE, Entry, fingerprint

__all__ = ["Footer", "closing_checksum", "read_footer", "read_lines", "revision"]

_WINDOW = 1024
_MAX_WINDOW = 16 * 1024 * 1024


class Footer(NamedTuple):
    """The end of a file of ``size`` bytes whose ``closing`` begins at ``body_end``.

    ``before`` are the bytes before that, as far as they are needed to tell one file from another; ``fingerprint`` is
    theirs.
    """

    size: int
    body_end: int
    closing: bytes
    fields: dict[str, Any]
    before: bytes
    fingerprint: int

    @property
    def checksum(self) -> int:
        """CRC-32 of the end of the messages and the closing."""
        return closing_checksum(self.fingerprint, self.closing)

    def is_of(self, entry: Entry | None) -> bool:
        """Return whether this is the file that is known: then all of it is what it should be."""
        return (
            entry is not None
            and entry.form == "lines"
            and entry.length == self.size
            and entry.body_end == self.body_end
            and entry.fingerprint == self.fingerprint
        )


def closing_checksum(fingerprint: int, closing: bytes) -> int:
    """Return the CRC-32 of a closing that stands behind messages with this fingerprint."""
    return zlib.crc32(closing, fingerprint)


def revision(status: os.stat_result, checksum: int) -> str:
    """Return the revision of a file: another one whenever anybody has written to it, or put another in its place.

    A file system may keep its times in steps of some milliseconds, or seconds: what changes a document without
    changing its size changes its end, unless it is edited by hand twice within such a step.
    """
    return f"{status.st_ino:x}.{status.st_size:x}.{status.st_mtime_ns:x}.{checksum:x}"


def read_footer(disk: Disk, fd: int, size: int) -> Footer | None:
    """Read the closing of a file in our form; None when it does not end like one."""
    window = _WINDOW
    while True:
        data = disk.read(fd, min(size, window), max(size - window, 0))
        place = data.rfind(b"\n")
        if place >= 0 or window >= size or window > _MAX_WINDOW:
            break
        window *= 8
    try:
        fields = document.parse_closing(data[place:]) if place >= 0 else None
    except ValueError:
        fields = None
    if fields is None:
        return None
    body_end = size - len(data) + place
    before = data[max(place - FINGERPRINT_SIZE, 0) : place]
    if len(before) < min(FINGERPRINT_SIZE, body_end):
        before = disk.read(fd, min(FINGERPRINT_SIZE, body_end), max(body_end - FINGERPRINT_SIZE, 0))
    return Footer(size, body_end, data[place:], fields, before, fingerprint(before))


def read_lines(
    disk: Disk, fd: int, footer: Footer, total: int, start: int, end: int, *, mark: tuple[int, int] | None
) -> bytes:
    """Read the lines of the messages from position ``start`` to before ``end``, of ``total``.

    ``mark`` is a position not before ``end`` and where the text of the messages before it ends, to go back from there
    instead of from the closing. Raises ``ValueError`` when the file is not as it is known.
    """
    if start >= end:
        return b""
    line_size = footer.body_end // total * 5 // 4 + 64
    near, place = mark if mark is not None else (total, footer.body_end)
    if near > end:
        begin, _ = _read_lines_before(disk, fd, place, near - end, chunk_size=(near - end) * line_size)
        place = begin - len(b",\n")
    _, text = _read_lines_before(disk, fd, place, end - start, chunk_size=(end - start) * line_size)
    return text


def _read_lines_before(disk: Disk, fd: int, end: int, lines: int, *, chunk_size: int) -> tuple[int, bytes]:
    """Read so many lines that end at ``end``, backwards, and return where the first begins.

    ``chunk_size`` is about how many bytes they take. Raises ``ValueError`` when there are not so many.
    """
    data = b""
    start = end
    place = 0
    while lines:
        place = data.rfind(b"\n", 0, place)
        if place >= 0:
            lines -= 1
            continue
        if not start:
            raise ValueError("there are not so many lines")
        chunk_size = min(max(chunk_size, len(data)), start)
        start -= chunk_size
        data = disk.read(fd, chunk_size, start) + data
        place = chunk_size
    return start + place + 1, data[place + 1 :]
