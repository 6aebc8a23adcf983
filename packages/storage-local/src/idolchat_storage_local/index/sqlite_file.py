"""SQLite files that are derived: what is common to them, and what their errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["IndexBroken", "IndexBusy", "explained", "identity", "is_passing", "remove_index", "transaction"]

_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
}
"""Errors that another time may not give; every other one says that the index is no good."""


class IndexBroken(Exception):
    """The index cannot be read: it is to be made anew."""


class IndexBusy(Exception):
    """The index cannot be read or written now: another process, or the disk."""


def remove_index(path: str) -> None:
    """Throw an index away. Raises ``OSError``."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(path + suffix).unlink()


@contextmanager
def transaction(database: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """Do what follows all or not at all, alone among writers."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@contextmanager
def explained() -> Generator[None]:
    """Tell apart errors that pass and a file that is no good. Raises ``IndexBusy``, ``IndexBroken``."""
    try:
        yield
    except sqlite3.Error as error:
        if is_passing(error):
            raise IndexBusy(str(error)) from error
        raise IndexBroken(str(error)) from error


def is_passing(error: sqlite3.Error) -> bool:
    """Tell whether another time may not give this error."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _PASSING


def identity(path: str) -> tuple[int, int] | None:
    """Tell which file has a name; None where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
