"""Which models there are, asked for once in a while."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from idolchat_core.errors import ProviderError
from idolchat_core.llm.contract import ModelInfo

__all__ = ["Catalogue"]

logger = logging.getLogger(__name__)


class Catalogue:
    """Keeps the list of models; those who ask at the same time share one request."""

    def __init__(self, fetch: Callable[[], Awaitable[Sequence[ModelInfo]]], *, max_age_s: float) -> None:
        self._fetch = fetch
        self._max_age_s = max_age_s
        self._models: Sequence[ModelInfo] | None = None
        self._fresh_until = 0.0
        self._fetching: asyncio.Task[Sequence[ModelInfo]] | None = None

    async def models(self) -> Sequence[ModelInfo]:
        """Give the list; an old one if there is no newer. Raises ``ProviderError`` where there never was one."""
        if self._models is not None and time.monotonic() < self._fresh_until:
            return self._models
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._refreshed())
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    async def close(self) -> None:
        """Stop asking."""
        if self._fetching is not None:
            self._fetching.cancel()
            with suppress(asyncio.CancelledError, ProviderError):
                await self._fetching

    async def _refreshed(self) -> Sequence[ModelInfo]:
        try:
            self._models = await self._fetch()
        except ProviderError as error:
            if self._models is None:
                raise
            logger.warning("the list of models could not be renewed", extra={"code": error.code})
        self._fresh_until = time.monotonic() + self._max_age_s
        return self._models

    def _fetched(self, task: asyncio.Task[Sequence[ModelInfo]]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # those who asked have it; they may have left
