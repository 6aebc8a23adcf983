"""A lock that lets only one server use a data folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from idolchat_core.errors import ConfigurationError

__all__ = ["is_locked", "locked_data_folder"]

LOCK_FILE = "server.lock"

if sys.platform == "win32":
    import msvcrt

    _OFFSET = 1 << 30
    """Beyond the text, for what is locked there cannot be read."""

    def _lock(file: int) -> None:
        os.lseek(file, _OFFSET, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


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


def is_locked(folder: Path) -> bool:
    """Return whether a server holds the lock of a folder, which need not be there."""
    try:
        file = os.open(folder / LOCK_FILE, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        _lock(file)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _lock_or_raise(file: int, folder: Path) -> None:
    try:
        _lock(file)
    except OSError as error:
        holder = os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
        raise ConfigurationError(
            f"IDOLCHAT_DATA_DIR: the folder {folder} is in use by another idolchat server, process {holder};"
            " stop that one, or name another folder"
        ) from error
