"""Documents that were read or written last."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from idolchat_storage_supabase.tails import Grown

__all__ = ["DocumentCache"]


class DocumentCache:
    """Keeps documents in ``max_bytes`` of memory, each for ``max_age_s`` seconds; the least used goes first."""

    def __init__(self, *, max_bytes: int, max_age_s: float) -> None:
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._kept: OrderedDict[UUID, tuple[Grown, float]] = OrderedDict()
        self._size_bytes = 0
        self._reads: dict[UUID, set[object]] = {}

    def get(self, conversation_id: UUID) -> Grown | None:
        """Return a document that is young enough, with what is known of its object."""
        found = self._kept.get(conversation_id)
        if found is None:
            return None
        kept, kept_at = found
        if time.monotonic() - kept_at >= self._max_age_s:
            self._forget(conversation_id)
            return None
        self._kept.move_to_end(conversation_id)
        return kept

    def keep(self, conversation_id: UUID, kept: Grown) -> None:
        """Keep a document that has just been written."""
        self.drop(conversation_id)
        self._keep(conversation_id, kept)

    def _keep(self, conversation_id: UUID, kept: Grown) -> None:
        self._forget(conversation_id)
        self._kept[conversation_id] = (kept, time.monotonic())
        self._size_bytes += len(kept.data)
        while self._size_bytes > self._max_bytes:
            _, (oldest, _) = self._kept.popitem(last=False)
            self._size_bytes -= len(oldest.data)

    @contextmanager
    def reading(self, conversation_id: UUID) -> Iterator[Callable[[Grown], None]]:
        """Return a function that keeps what is read inside, unless the document was written or dropped meanwhile."""
        reads, read = self._reads.setdefault(conversation_id, set()), object()
        reads.add(read)

        def keep(kept: Grown) -> None:
            if read in self._reads.get(conversation_id, ()):
                self._keep(conversation_id, kept)

        try:
            yield keep
        finally:
            reads.discard(read)
            if not reads and self._reads.get(conversation_id) is reads:
                del self._reads[conversation_id]

    def drop(self, conversation_id: UUID) -> None:
        """Forget a document that may not be the newest, and what is being read of it."""
        self._reads.pop(conversation_id, None)
        self._forget(conversation_id)

    def _forget(self, conversation_id: UUID) -> None:
        kept, _ = self._kept.pop(conversation_id, (None, 0.0))
        self._size_bytes -= len(kept.data) if kept else 0
