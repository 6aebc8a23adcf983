"""Reads a file that is not known from end to end, and tells what it is and what can be saved of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from idolchat_core import Conversation, ConversationDamaged, Message, document
from idolchat_storage_local.files import redo_log
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.salvage import salvage
from idolchat_storage_local.index.entry import FINGERPRINT_SIZE, MARK_EVERY, Entry, fingerprint, to_time

__all__ = ["Damage", "Found", "Other", "Torn", "inspect"]

_BLOCK = 1024 * 1024


class Found(NamedTuple):
    """A file in our form: how it ends, and what the index keeps of the part that was read.

    ``opening`` is None when what is known of the file was right and only what follows was read. ``messages`` are those
    that were read.
    """

    opening: dict[str, Any] | None
    fields: dict[str, Any]
    message_count: int
    body_end: int
    length: int
    before: bytes
    turn_ids: list[str]
    marks: list[tuple[int, int]]
    messages: Sequence[Message]


class Torn(NamedTuple):
    """A file in our form whose last change was cut by a crash: whole again once ``write`` is written ``at``.

    After that it is cut to ``length``. ``cut`` is what goes.
    """

    at: int
    write: bytes
    length: int
    cut: bytes


class Other(NamedTuple):
    """A valid document in another form, such as the original service's."""

    conversation: Conversation


class Damage(NamedTuple):
    """A file that cannot be read in full; ``offset`` is where it goes wrong, ``readable`` what can be read."""

    offset: int
    reason: str
    readable: Conversation | None = None


def inspect(
    disk: Disk, fd: int, size: int, conversation_id: UUID, known: Entry | None, *, all_of_it: bool = False
) -> Found | Torn | Other | Damage:
    """Read a file: what was added since it was known, or all of it. Raises ``OSError``."""
    unfinished = redo_log.find(disk, fd, size)
    if unfinished is not None:
        at, new = unfinished
        return Torn(at, new, at + len(new), b"")
    reader = _Reader(disk, fd, size, conversation_id)
    if not all_of_it and known is not None and known.form == "lines" and _goes_on_from(disk, fd, size, known):
        return reader.read_on(known)
    return reader.read_all(known)


def _goes_on_from(disk: Disk, fd: int, size: int, known: Entry) -> bool:
    start = max(known.body_end - FINGERPRINT_SIZE, 0)
    return size > known.body_end and fingerprint(disk.read(fd, known.body_end - start, start)) == known.fingerprint


class _Reader:
    """Goes through the lines of one file."""

    def __init__(self, disk: Disk, fd: int, size: int, conversation_id: UUID) -> None:
        self._disk = disk
        self._fd = fd
        self._size = size
        self._id = conversation_id
        self._count = 0
        self._end = 0  # of the last whole line, without the comma after it
        self._messages: list[Message] = []
        self._turn_ids: list[str] = []
        self._marks: list[tuple[int, int]] = []

    def read_on(self, known: Entry) -> Found | Torn | Other | Damage:
        self._count, self._end = known.message_count, known.body_end
        return self._read_lines(known.body_end, None) or self._as_a_whole(self._broken(None, known, goes_on=True))

    def read_all(self, known: Entry | None) -> Found | Torn | Other | Damage:
        first = next(self._segments(0))
        try:
            opening = document.parse_opening(first)
        except ValueError:
            return self._as_a_whole(None)
        if opening["id"] != str(self._id):
            return self._as_a_whole(None)
        self._end = len(first)
        return self._read_lines(len(first), opening) or self._as_a_whole(self._broken(opening, known, goes_on=False))

    def _read_lines(self, start: int, opening: dict[str, Any] | None) -> Found | None:
        """Read lines that follow ``start``, where a line end or a comma and a line end stand; None if they break."""
        segments = self._segments(start)
        separator = next(segments)
        position = start + len(separator) + 1
        comma = separator == b","
        if separator not in (b"", b","):
            return None
        for segment in segments:
            if segment.startswith(b"]"):
                return None if comma else self._closed(opening, position, segment)
            if (self._count > 0) != comma:
                return None
            if not self._take(segment.removesuffix(b","), position):
                # The line end after it may be gone, and the message be whole all the same.
                self._take(_whole_object(segment), position)
                return None
            comma = segment.endswith(b",")
            position += len(segment) + 1
        return None

    def _closed(self, opening: dict[str, Any] | None, position: int, segment: bytes) -> Found | None:
        try:
            fields = document.parse_closing(b"\n" + segment)
        except ValueError:
            return None
        if position + len(segment) != self._size:
            return None
        return self._found(opening, fields, self._size)

    def _take(self, text: bytes, position: int) -> bool:
        try:
            message = document.parse_line(text)
        except ValueError:
            return False
        if self._count % MARK_EVERY == 0 and self._count:
            self._marks.append((self._count, position))
        self._count += 1
        self._end = position + len(text)
        self._messages.append(message)
        if message.turn_id is not None:
            self._turn_ids.append(str(message.turn_id))
        return True

    def _found(self, opening: dict[str, Any] | None, fields: dict[str, Any], length: int) -> Found:
        start = max(self._end - FINGERPRINT_SIZE, 0)
        before = self._disk.read(self._fd, self._end - start, start)
        return Found(
            opening, fields, self._count, self._end, length, before, self._turn_ids, self._marks, self._messages
        )

    def _broken(self, opening: dict[str, Any] | None, known: Entry | None, *, goes_on: bool) -> Torn | Damage:
        """Return whether what follows the last whole line is a change that was never finished."""
        rest = self._disk.read(self._fd, self._size - self._end, self._end)
        if known is not None and self._count < known.message_count:
            return Damage(self._end, f"only {self._count} of its {known.message_count} messages are left")
        old = _whole_closing(rest)
        if old is not None:
            return Torn(self._end + len(old), b"", self._end + len(old), rest[len(old) :])
        if goes_on or self._is_unfinished(rest):
            closing = document.closing_of({"updated_at": self._time(opening, known)})
            return Torn(self._end, closing, self._end + len(closing), rest)
        return Damage(self._end, "what follows cannot be read")

    def _time(self, opening: dict[str, Any] | None, known: Entry | None) -> datetime | str:
        if self._messages:
            return self._messages[-1].timestamp
        return to_time(known.updated_at) if known is not None else str(opening and opening["created_at"])

    def _is_unfinished(self, rest: bytes) -> bool:
        """Return whether bytes after the last whole line can be the remains of one torn write.

        A last line without a comma was the last of a document that was complete. Zeros are sectors that were never
        written: JSON text holds none. And behind a line that was cut, there is no whole one. Without any whole
        message there is nothing to go by.
        """
        if not self._count:
            return False
        if not rest.startswith(b",") or b"\0" in rest:
            return True
        return not any(_is_message(segment) for segment in rest.split(b"\n")[1:])

    def _as_a_whole(self, otherwise: Torn | Damage | None) -> Torn | Other | Damage:
        """Read the file as a document in another form, if it is one; else return what it seemed to be."""
        data = self._disk.read(self._fd, self._size, 0)
        try:
            return Other(document.decode(data, self._id))
        except ConversationDamaged as error:
            result = otherwise or Damage(0, str(error))
        if isinstance(result, Torn):
            return result
        try:
            return result._replace(readable=salvage(data, self._id))
        except ConversationDamaged:
            return result

    def _segments(self, start: int) -> Iterator[bytes]:
        """Yield what stands between line ends, from ``start`` to the end of the file."""
        left = b""
        while start < self._size:
            block = self._disk.read(self._fd, min(_BLOCK, self._size - start), start)
            if not block:
                break
            start += len(block)
            *whole, left = (left + block).split(b"\n")
            yield from whole
        yield left


def _whole_closing(rest: bytes) -> bytes | None:
    """Return the closing that these bytes begin with, if it is whole, whatever follows it."""
    if not rest.startswith(b'\n],"updated_at":'):
        return None
    closing = rest[:3] + _whole_object(b"{" + rest[3:])[1:]
    try:
        document.parse_closing(closing)
    except ValueError:
        return None
    return closing


def _whole_object(text: bytes) -> bytes:
    """Return the JSON object that these bytes begin with, whatever follows it; nothing if it is not whole."""
    decoded = text.decode("utf-8", "surrogateescape")
    try:
        _, end = json.JSONDecoder().raw_decode(decoded)
    except (ValueError, RecursionError):
        return b""
    return decoded[:end].encode("utf-8", "surrogateescape")


def _is_message(segment: bytes) -> bool:
    try:
        return len(document.parse_lines(segment.removesuffix(b","))) == 1
    except ValueError:
        return False
