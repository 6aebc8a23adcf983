"""The call of Linux that waits for all of a file system at once, where it tells what could not be written."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
from functools import cache

__all__ = ["can_sync_whole", "sync_whole"]

_LEAST_LINUX = (5, 17)
"""Reports failed writes since 5.8 and a failed commit of the journal since 5.17 (commit 5679897eb104)."""
_FILE_SYSTEMS = {
    0xEF53,  # ext4
    0x58465342,  # XFS
    0x9123683E,  # Btrfs
    0xF2F52010,  # F2FS
}
"""``f_type`` of statfs(2) of those on a disk of this machine; others, as FUSE, may return before all is written."""
_STATFS_SIZE = 256
"""Bytes; more than the structure takes on any platform."""


def can_sync_whole(path: str) -> bool:
    """Return whether ``sync_whole`` holds for the file system of a folder. Raises ``OSError``."""
    if sys.platform != "linux" or _linux() < _LEAST_LINUX:
        return False
    found = ctypes.create_string_buffer(_STATFS_SIZE)
    _check(_libc().statfs(os.fsencode(path), found), path)
    return ctypes.c_long.from_buffer(found).value & 0xFFFFFFFF in _FILE_SYSTEMS


def sync_whole(fd: int) -> None:
    """Wait until all that was written to the file system of an open file is on the disk. Raises ``OSError``.

    It is raised where anything failed to be written since this file was opened or last used for this.
    """
    _check(_libc().syncfs(fd), None)
    if os.fstatvfs(fd).f_flag & os.ST_RDONLY:  # by an error of the disk, and then nothing was waited for
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, path: str | None) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def _linux() -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
