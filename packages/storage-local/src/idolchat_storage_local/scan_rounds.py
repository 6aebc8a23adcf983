"""Which look through the data folder counts: one that began after the index was last made anew."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from idolchat_core import StorageUnavailable

__all__ = ["ScanRounds"]


class ScanRounds:
    """The number of the round that counts, and whether it is finished. Any thread may say that the index is lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._is_lost = False
        self._finished: Future[None] = Future()

    @property
    def number(self) -> int:
        """The round that counts: 0 until the index is lost."""
        return self._number

    @property
    def finished(self) -> Future[None]:
        """Done when the index is as the files are; another one after it was lost.

        With a ``StorageUnavailable`` where a folder cannot be read, until it can be.
        """
        return self._finished

    def lose(self) -> None:
        """Count no round until ``restart``: the index does not know what it should."""
        with self._lock:
            self._number += 1
            self._is_lost = True
            if self._finished.done():
                self._finished = Future()

    def restart(self) -> None:
        """Count no round that began before: what it has noted may be lost."""
        with self._lock:
            self._number += 1
            self._is_lost = False

    def finish(self, number: int, problem: StorageUnavailable | None = None) -> bool:
        """Finish a round, and return whether it is the one that counts."""
        with self._lock:
            if self._is_lost or number != self._number:
                return False
            if self._finished.done():
                if not self._finished.exception():
                    return True
                self._finished = Future()
            if problem is None:
                self._finished.set_result(None)
            else:
                self._finished.set_exception(problem)
            return True
