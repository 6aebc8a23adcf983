"""Parses server-sent events.

Lines end with CRLF, LF or CR and with nothing else (WHATWG HTML, section 9.2.6, read 2026-08-22): what `str` takes
for further line ends, such as U+2028 and U+0085, may stand in the text of an event.
"""

from __future__ import annotations

__all__ = ["MAX_EVENT_BYTES", "EventTooLong", "SSEParser"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_EVENT_BYTES = 8 * 1024 * 1024


class EventTooLong(Exception):
    """An event is longer than the limit; the stream cannot be read further."""


class SSEParser:
    """Parses a stream, cut anywhere, into the data of its events.

    Comments and the fields ``event``, ``id`` and ``retry`` are passed over: completions do not use them.
    """

    __slots__ = ("_after_cr", "_at_start", "_data", "_line", "_size", "max_event_bytes")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self._line = bytearray()  # the unfinished last line
        self._data: list[bytes] = []  # the data lines of the unfinished event
        self._size = 0  # of both, in bytes
        self._after_cr = False
        self._at_start = True

    @property
    def is_between_events(self) -> bool:
        """Whether the next byte begins an event."""
        return not (self._line or self._data or self._after_cr or self._at_start)

    def feed(self, piece: bytes) -> list[bytes]:
        """Parse the next piece and return the data of the events that it completes.

        Raises ``EventTooLong`` where the unfinished event was over the limit before.
        """
        if self._size > self.max_event_bytes:
            raise EventTooLong
        end = len(piece) - 2
        if piece.find(b"\n") == end and piece.startswith(b"data: ") and self._is_one_event(piece):
            return [piece[6:end]]
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
        if not piece:
            return []
        lines = piece.splitlines()  # for bytes: CRLF, LF and CR alone
        last = piece[-1]
        self._after_cr = last == 13
        if self._line:
            if len(lines) == 1 and last not in b"\r\n":
                self._keep(piece)
                return []
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        unfinished = None if last in b"\r\n" else lines.pop()
        events = self._events(lines)
        if unfinished is not None:
            self._keep(unfinished)
        return events

    def _is_one_event(self, piece: bytes) -> bool:
        """Whether a piece with one LF before its last byte is an event of one line, as most are."""
        if self._line or self._data or not piece.endswith(b"\n") or b"\r" in piece:
            return False
        self._at_start = self._after_cr = False
        return True

    def _keep(self, piece: bytes) -> None:
        self._line += piece
        self._size += len(piece)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        if self._at_start and lines:
            self._at_start = False
            lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
        events = []
        for line in lines:
            if line[:6] == b"data: ":
                self._data.append(line[6:])
            elif not line:
                if self._data:
                    events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                    self._data.clear()
            elif line[:5] == b"data:":
                self._data.append(line[5:])
            elif line == b"data":
                self._data.append(b"")
        self._size = sum(map(len, self._data)) if self._data else 0
        return events
