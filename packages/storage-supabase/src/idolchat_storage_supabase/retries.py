"""RetriedCalls with a time limit, tried again where that helps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from idolchat_storage_supabase.error_mapping import ErrorMapper
from idolchat_storage_supabase.errors import TransientError
from idolchat_storage_supabase.settings import SupabaseSettings

__all__ = ["RetriedCalls"]

_FIRST_WAIT_S = 0.25


class RetriedCalls:
    """Makes calls that may be made twice: each of ours writes a whole value, or asks."""

    def __init__(self, settings: SupabaseSettings) -> None:
        self._errors = ErrorMapper(host=settings.host, bucket=settings.bucket)
        self._settings = settings

    async def make[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, and again after a passing fault. Raises ``StorageUnavailable`` and its kinds in ``errors``."""
        for tried in range(self._settings.retries):
            try:
                return await self._once(call)
            except TransientError:
                longest = min(self._settings.retry_max_wait_s, _FIRST_WAIT_S * 4**tried)
                await asyncio.sleep(longest * random.uniform(0.5, 1))
        return await self._once(call)

    async def _once[T](self, call: Callable[[], Awaitable[T]]) -> T:
        with self._errors.mapped():
            async with asyncio.timeout(self._settings.timeout_s):
                return await call()
