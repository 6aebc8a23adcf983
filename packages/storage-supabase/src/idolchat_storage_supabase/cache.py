"""Documents that were read or written last."""

from __future__ import annotations

import time
from collections import OrderedDict
from uuid import UUID

__all__ = ["DocumentCache"]


class DocumentCache:
    """Keeps documents in ``max_bytes`` of memory, each for ``max_age_s`` seconds; the least used goes first."""

    def __init__(self, *, max_bytes: int, max_age_s: float) -> None:
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._kept: OrderedDict[UUID, tuple[bytes, float]] = OrderedDict()
        self._size_bytes = 0

    def get(self, conversation_id: UUID) -> bytes | None:
        """Give a document that is young enough."""
        found = self._kept.get(conversation_id)
        if found is None:
            return None
        data, kept_at = found
        if time.monotonic() - kept_at >= self._max_age_s:
            self.drop(conversation_id)
            return None
        self._kept.move_to_end(conversation_id)
        return data

    def keep(self, conversation_id: UUID, data: bytes) -> None:
        """Keep a document, which has just been read or written."""
        self.drop(conversation_id)
        self._kept[conversation_id] = (data, time.monotonic())
        self._size_bytes += len(data)
        while self._size_bytes > self._max_bytes:
            _, (oldest, _) = self._kept.popitem(last=False)
            self._size_bytes -= len(oldest)

    def drop(self, conversation_id: UUID) -> None:
        """Forget a document, which may not be the newest."""
        data, _ = self._kept.pop(conversation_id, (b"", 0.0))
        self._size_bytes -= len(data)
