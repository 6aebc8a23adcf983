"""How the C library keeps memory that was freed.

By default glibc gives each thread an arena of its own, and after the first large buffer that is freed it keeps later
ones of that size there. What one thread reads once, a log or a long conversation, then stays with the process, as
often as there are threads.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from idolchat_core.background_tasks import BackgroundTasks

__all__ = ["return_freed_memory", "trimming_freed_memory"]

_OPTIONS = (
    (-8, "MALLOC_ARENA_MAX", 2),
    (-3, "MALLOC_MMAP_THRESHOLD_", 256 * 1024),
    (-1, "MALLOC_TRIM_THRESHOLD_", 1024 * 1024),
)
"""Numbers of options in ``malloc.h``, the variables that set them too (mallopt(3)), and their values here."""

TRIM_EVERY_S = 60.0


def return_freed_memory() -> None:
    """Make glibc return freed buffers of 256 KiB and more to the system; does nothing without glibc.

    What environment variables say of glibc's malloc stays as it is. To be called before threads are started.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None or "GLIBC_TUNABLES" in os.environ:
        return
    for option, variable, value in _OPTIONS:
        if variable not in os.environ:
            mallopt(option, value)


@asynccontextmanager
async def trimming_freed_memory() -> AsyncGenerator[None]:
    """Once a minute, give the system what lies free between what is in use, which small buffers leave behind.

    It takes some milliseconds, in a thread; does nothing without glibc (malloc_trim(3)).
    """
    tasks = BackgroundTasks()
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        tasks.start("freed memory", lambda: _trim_regularly(trim))
    try:
        yield
    finally:
        await tasks.close()


async def _trim_regularly(trim: Callable[[int], int]) -> None:
    while True:
        await asyncio.sleep(TRIM_EVERY_S)
        await asyncio.to_thread(trim, 0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)  # musl has none
    return function
