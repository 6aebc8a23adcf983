"""Calls whose result is cached for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["CachedCall"]


class CachedCall[T]:
    """An async call that is repeated only when its last result is older than ``max_age_s`` seconds.

    Whoever asks meanwhile waits for the same answer; an error is told to those who wait, and not kept.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]], *, max_age_s: float) -> None:
        self._ask = ask
        self._max_age_s = max_age_s
        self._asked: asyncio.Task[T] | None = None
        self._asked_at = 0.0

    async def get(self) -> T:
        """Return the cached result, or call again."""
        now = asyncio.get_running_loop().time()
        if self._asked is None or (self._asked.done() and not self._is_good(self._asked, now)):
            self._asked = asyncio.ensure_future(self._asking())
            self._asked_at = now
        return await asyncio.shield(self._asked)

    def _is_good(self, asked: asyncio.Task[T], now: float) -> bool:
        return now < self._asked_at + self._max_age_s and not asked.cancelled() and asked.exception() is None

    async def _asking(self) -> T:
        return await self._ask()
