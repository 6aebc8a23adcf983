"""How the C library keeps memory that was freed.

By default glibc gives each thread an arena of its own, and after the first large buffer that is freed it keeps later
ones of that size there. What one thread reads once, a log or a long conversation, then stays with the process, as
often as there are threads.
"""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["return_freed_memory"]

_OPTIONS = (
    (-8, "MALLOC_ARENA_MAX", 2),
    (-3, "MALLOC_MMAP_THRESHOLD_", 256 * 1024),
    (-1, "MALLOC_TRIM_THRESHOLD_", 1024 * 1024),
)
"""Numbers of options in ``malloc.h``, the variables that set them too (mallopt(3)), and their values here."""


def return_freed_memory() -> None:
    """Make glibc return freed buffers of 256 KiB and more to the system; does nothing without glibc.

    What environment variables say of glibc's malloc stays as it is. To be called before threads are started.
    """
    if sys.platform != "linux" or "GLIBC_TUNABLES" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return
    for option, variable, value in _OPTIONS:
        if variable not in os.environ:
            mallopt(option, value)
