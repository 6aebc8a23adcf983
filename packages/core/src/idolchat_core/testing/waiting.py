"""Waiting for what tells nobody when it is so, as what another process does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["until", "until_so"]

_PAUSE_S = 0.02


async def until[T](
    what: str, look: Callable[[], Awaitable[T]], is_so: Callable[[T], object] = bool, *, within_s: float = 60
) -> T:
    """Look until what is seen is so, and return that.

    Raises ``TimeoutError`` with ``what`` was waited for, such as "a server that copies", and what was seen last.
    """
    seen: T | None = None
    waiting = asyncio.timeout(within_s)
    try:
        async with waiting:
            while True:
                seen = await look()
                if is_so(seen):
                    return seen
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError as error:
        if not waiting.expired():
            raise
        raise TimeoutError(f"waited {within_s:g} s for {what}; seen last: {seen!r}") from error


async def until_so(what: str, is_so: Callable[[], bool], *, within_s: float = 60) -> None:
    """Look until something that can be seen at once is so; see ``until``."""

    async def look() -> bool:
        return is_so()

    await until(what, look, within_s=within_s)
