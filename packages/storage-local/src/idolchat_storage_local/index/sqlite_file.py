"""SQLite files that are derived: what is common to them, and what their errors mean."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

__all__ = [
    "Identity",
    "IndexBroken",
    "IndexBusy",
    "IndexMissing",
    "alone",
    "connect",
    "explained",
    "make_whole",
    "own_number",
    "remove_index",
    "transaction",
]

_PATIENCE_S = 10.0
_OWN_NUMBER = (68, 4)
"""Where a database file keeps its application id, and in how many bytes: https://sqlite.org/fileformat.html, 1.3."""
_CLOSED = -1
_SHARED_SIZE = 32 * 1024
"""Bytes of the shared memory of a WAL: https://sqlite.org/walformat.html, 2. Reading it where it is cut is fatal."""

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


class IndexMissing(IndexBroken):
    """There is no index yet."""


class IndexBusy(Exception):
    """The index cannot be read or written now: another process, or the disk."""


@contextmanager
def alone(path: str) -> Generator[None]:
    """Be the only one, of all processes, that makes or removes the database of this name: see ``make_whole``.

    What locks is SQLite, on an empty database beside it: on every system, until the process ends.
    Raises ``OSError``.
    """
    lock = f"{path}.lock"
    with suppress(FileExistsError):
        os.close(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with ExitStack() as stack:
        try:
            database = sqlite3.connect(lock, timeout=_PATIENCE_S, isolation_level=None)
            stack.enter_context(closing(database))
            database.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise OSError(errno.EAGAIN, f"{lock} cannot be locked: {error}") from error
        yield


def make_whole(path: str, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a database where there is none, for its owner only; another process finds it filled, or not at all.

    Whoever calls this, or ``remove_index``, is ``alone`` and has looked since: else one would remove what another has
    just made. Raises ``OSError``, ``sqlite3.Error``.
    """
    folder, _, name = path.rpartition("/")
    temporary = Path(f"{folder}/.{name}.{secrets.token_hex(4)}.tmp")
    os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(temporary, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            fill(database)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_index(path: str) -> None:
    """Throw an index away: see ``make_whole``. Raises ``OSError``."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            Path(path + suffix).unlink()


def connect(path: str, *, version: int, patience_s: float) -> sqlite3.Connection:
    """Open a database, and make none. Raises ``IndexBroken`` where none of this version is there, ``sqlite3.Error``."""
    before = _file(path)
    if before is None:
        raise IndexMissing("there is none")
    uri = f"{Path(path).as_uri()}?mode=rw"
    database = sqlite3.connect(uri, uri=True, timeout=patience_s, isolation_level=None, check_same_thread=False)
    try:
        [[found]] = database.execute("PRAGMA user_version").fetchall()
        if found != version:
            raise IndexBroken(f"it is of version {found}, and this one reads {version}")
        if _file(path) != before:  # this is the old file, with the log of the new one
            raise IndexBroken("another took its place while it was opened")
        # Not before: it writes to one that is not in this mode.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        # What lies beside its name may be another's.
        database.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
        database.close()
        raise
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """Run the block in one transaction, alone among writers."""
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
    """Distinguish errors that pass and a file that is no good. Raises ``IndexBusy``, ``IndexBroken``."""
    try:
        yield
    except sqlite3.Error as error:
        if _is_passing(error):
            raise IndexBusy(str(error)) from error
        raise IndexBroken(str(error)) from error


def _is_passing(error: sqlite3.Error) -> bool:
    """Return whether another time may not give this error."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    # A file that ends too early was cut.
    return code != sqlite3.SQLITE_IOERR_SHORT_READ and code & 0xFF in _PASSING


class Identity:
    """The files that an open database is made of, to notice when somebody removes, replaces or overwrites them.

    SQLite itself goes on with what it holds open and has cached: https://sqlite.org/howtocorrupt.html, section 4. The
    first page of the file, where ``PRAGMA application_id`` put a number of its own, is read through a descriptor that
    is open as long as the database is: closing one would drop SQLite's locks (the same page, section 2.2).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self._files = self._found()

    def close(self) -> None:
        """Close the descriptor; the database must be closed by then."""
        if self._fd != _CLOSED:
            os.close(self._fd)
            self._fd = _CLOSED

    @property
    def is_there(self) -> bool:
        """Whether the files of these names are the ones that were opened, and begin as they did, as far as one sees."""
        try:
            return self._files == self._found()
        except OSError:
            return True

    @property
    def is_replaced(self) -> bool:
        """Whether another database has the name: another process has made one."""
        return _file(self._path) not in (None, self._files[0])

    def _found(self) -> tuple[object, ...]:
        paths = (self._path, f"{self._path}-wal", f"{self._path}-shm")
        return (*map(_file, paths), _mend_shared(paths[2]), os.pread(self._fd, _OWN_NUMBER[1], _OWN_NUMBER[0]))


def own_number() -> int:
    """Make the number that tells a database from every other, for ``PRAGMA application_id``."""
    return secrets.randbelow(1 << 31)


def _file(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  it is asked for with every question to the index
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _mend_shared(path: str) -> bool:
    """Make shared memory that was cut as large as it must be, and return whether it was cut.

    SQLite has it mapped, and would be killed by a SIGBUS where it touches what is not there, even to close it.
    """
    try:
        is_cut = os.stat(path).st_size < _SHARED_SIZE  # noqa: PTH116
        if is_cut:
            os.truncate(path, _SHARED_SIZE)
    except OSError:
        return False
    return is_cut
