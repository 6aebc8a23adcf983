"""Parses server-sent events.

Lines end with CRLF, LF or CR and with nothing else (WHATWG HTML, section 9.2.6, read 2026-08-22): what `str` takes
for further line ends, such as U+2028 and U+0085, may stand in the text of an event.
"""

from __future__ import annotations

__all__ = ["MAX_EVENT_BYTES", "ErrorData", "EventTooLong", "SSEParser"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_EVENT_BYTES = 8 * 1024 * 1024
MAX_UNFRAMED_BYTES = 64 * 1024
"""Up to this size JSON without framing is read before the stream ends."""

PASSED_OVER = (b":", b"event:", b"id:", b"retry:")


class EventTooLong(Exception):
    """An event is longer than the limit; the stream cannot be read further."""


class ErrorData(bytes):
    """The data of an event that is named ``error``, or of a field of that name."""

    __slots__ = ()


class SSEParser:
    """Parses a stream, cut anywhere, into the data of its events.

    Comments and the fields ``id`` and ``retry`` are passed over: completions do not use them. Of the names of events,
    ``error`` alone means something; llama.cpp has a field of that name. Lines that are no field are kept, for a server
    that fails may send its error as it is.
    """

    __slots__ = (
        "_after_cr", "_at_start", "_data", "_is_error", "_line", "_size", "_unframed", "max_event_bytes",
    )  # fmt: skip

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self._line = bytearray()  # the unfinished last line
        self._data: list[bytes] = []  # the data lines of the unfinished event
        self._is_error = False  # the name of the unfinished event
        self._unframed = bytearray()  # lines that are no field
        self._size = 0  # of all these, in bytes
        self._after_cr = False
        self._at_start = True

    @property
    def is_between_events(self) -> bool:
        """Whether the next byte begins an event."""
        return not (self._line or self._data or self._after_cr or self._at_start or self._is_error)

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
        if self._line or self._data or self._is_error or not piece.endswith(b"\n") or b"\r" in piece:
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
                    events.append(self._event())
                self._is_error = False
            else:
                self._read_field(line, events)
        self._size = sum(map(len, self._data)) + len(self._unframed) if self._data or self._unframed else 0
        return events

    def _event(self) -> bytes:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        return ErrorData(data) if self._is_error else data

    def _read_field(self, line: bytes, events: list[bytes]) -> None:
        if line[:5] == b"data:":
            self._data.append(line[5:])
        elif line == b"data":
            self._data.append(b"")
        elif line[:6] == b"event:":
            self._is_error = line[6:].strip() == b"error"
        elif line[:6] == b"error:":
            events.append(ErrorData(line[6:].strip()))
        elif not line.startswith(PASSED_OVER):
            self._unframed += line + b"\n"

    def unframed_json(self) -> bytes:
        """Return what may be JSON without framing, if it may be complete; empty where there is none."""
        first = self._unframed or self._line
        if not first.startswith((b"{", b"[")) or len(self._unframed) + len(self._line) > MAX_UNFRAMED_BYTES:
            return b""
        text = bytes(self._unframed + self._line).strip()
        return text if text.endswith((b"}", b"]")) else b""

    def forget_unframed(self) -> None:
        """Drop what ``unframed_json`` returned."""
        self._unframed.clear()
        self._line.clear()
        self._size = sum(map(len, self._data))

    def end(self) -> tuple[list[bytes], bytes]:
        """Return the data of events that the end of the stream cut off, and what came without framing."""
        events = self._events([bytes(self._line)]) if self._line else []
        self._line.clear()
        if self._data:
            events.append(self._event())
        return events, bytes(self._unframed)
