"""A lock that lets only one server use a data folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from idolchat_core.errors import ConfigurationError

__all__ = ["is_served", "locked_data_folder"]

LOCK_FILE = "server.lock"

if sys.platform == "win32":
    import msvcrt

    _OFFSET = 1 << 30
    """Beyond the text, for what is locked there cannot be read."""

    def _lock(file: int) -> None:
        os.lseek(file, _OFFSET, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

    _look = _lock
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _look(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


_TRIES, _PAUSE_S = 3, 0.05
"""Whoever looks whether a folder is locked holds its lock for a moment."""


@contextmanager
def locked_data_folder(folder: Path) -> Generator[None]:
    """Lock the folder for this process; the operating system releases the lock when the process ends.

    Raises ``ConfigurationError`` when another server holds it, or when it cannot be written.
    """
    path = folder / LOCK_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"IDOLCHAT_DATA_DIR: the folder {folder} cannot be written ({error.strerror}); make it writable, or name"
            " another"
        ) from error
    try:
        _lock_or_raise(file, folder)
        # Only a note for whoever comes second: a disk that takes no write can still be read from.
        with suppress(OSError):
            os.ftruncate(file, 0)
            os.write(file, b"%d\n" % os.getpid())
        yield
    finally:
        os.close(file)


def _lock_or_raise(file: int, folder: Path) -> None:
    try:
        _lock_patiently(file)
    except OSError as error:
        holder = os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
        raise ConfigurationError(
            f"IDOLCHAT_DATA_DIR: the folder {folder} is in use by another idolchat server, process {holder};"
            " stop that one, or name another folder"
        ) from error


def _lock_patiently(file: int) -> None:
    for _ in range(_TRIES):
        with suppress(OSError):
            return _lock(file)
        time.sleep(_PAUSE_S)
    return _lock(file)


def is_served(folder: Path) -> bool:
    """Whether a server runs on a data folder."""
    try:
        file = os.open(folder / LOCK_FILE, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        _look(file)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
