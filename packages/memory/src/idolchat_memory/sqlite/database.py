"""The file: opened, made anew when it is of no use, and how values stand in it."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import sys
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from idolchat_core import (
    IS_OF_CHARACTER,
    TRAIT_BITS,
    MemoryMessage,
    MemoryScope,
    MessageTraits,
    Speaker,
    StorageUnavailable,
    TextAnalysis,
)

__all__ = [
    "ScopeRow",
    "connect",
    "explained",
    "find_scope",
    "id_of",
    "message_of",
    "microseconds",
    "prepare",
    "scope_key",
    "scope_of",
    "stored_id",
    "time_of",
    "transaction",
]

_ROLES: tuple[Speaker, Speaker] = ("user", "assistant")
_SCHEMA_VERSION = 4
_SCHEMA = resources.files("idolchat_memory.sqlite").joinpath("schema.sql").read_text(encoding="utf-8")
_PATIENCE_S = 10.0
_PRIMARY_CODE = 0xFF
"""The bits of an error code that are the same for all of its kinds, such as ``SQLITE_BUSY_RECOVERY``."""
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def prepare(path: Path, analysis: TextAnalysis) -> None:
    """Make the file, also in place of one that is damaged or of another version. Raises ``StorageUnavailable``."""
    version = _version(analysis)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageUnavailable(f"the memory index {path} cannot be opened: {error.strerror}") from error
    with explained():
        # One that is removed while it is looked at may seem to be busy.
        with suppress(sqlite3.OperationalError):
            if _is_usable(path, version):
                return
        with _alone(path):
            if not _is_usable(path, version):  # else another process has just made it
                _make(path, version)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Be the only one, of all processes, that makes or removes the index: else one would remove another's new one.

    What locks is SQLite, on an empty database beside it: on every system, until the process ends.
    """
    lock = path.with_name(f"{path.name}.lock")
    with suppress(FileExistsError):
        os.close(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(lock, timeout=_PATIENCE_S, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


def _make(path: Path, version: int) -> None:
    """Make an index of nothing, in place of one that is of no use; another process finds it whole, or not at all.

    It is for its owner only, as the conversations are.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").unlink()
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(connect(new)) as database:
            database.executescript(_SCHEMA)
            database.execute(f"PRAGMA user_version = {version}")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file once more, for one thread at a time."""
    database = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    # What is forgotten is overwritten, not only unlinked.
    database.execute("PRAGMA secure_delete = ON")
    return database


@contextmanager
def transaction(database: sqlite3.Connection, *, writes: bool) -> Generator[None]:
    """Do what follows all or not at all; a reader sees one moment throughout."""
    database.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@contextmanager
def explained() -> Generator[None]:
    """Translate errors of SQLite and of its files into ``StorageUnavailable``."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageUnavailable(f"the memory index cannot be used: {error}") from error


def scope_key(scope: MemoryScope) -> str:
    """Name a scope; no id and an empty one are told apart."""
    return json.dumps([scope.user_id, scope.character_id])


def scope_of(key: str) -> MemoryScope:
    """Read what ``scope_key`` gave."""
    user_id, character_id = json.loads(key)
    return MemoryScope(user_id=user_id, character_id=character_id)


class ScopeRow(NamedTuple):
    """A scope: its number, and its messages: how many, in how many sessions, with how many terms together."""

    number: int
    message_count: int
    session_count: int
    length: int


def find_scope(database: sqlite3.Connection, scope: MemoryScope) -> ScopeRow | None:
    """Look up a scope; None where nothing was ever said."""
    row = database.execute(
        "SELECT number, message_count, session_count, length FROM scopes WHERE key = ?", (scope_key(scope),)
    ).fetchone()
    return ScopeRow(*row) if row else None


def stored_id(message_id: str) -> bytes | str:
    """Pack an id: 16 bytes for a UUID in its usual form, anything else as it is."""
    try:
        packed = UUID(message_id)
    except ValueError:
        return message_id
    return packed.bytes if str(packed) == message_id else message_id


def id_of(stored: bytes | str) -> str:
    """Unpack what ``stored_id`` gave."""
    if isinstance(stored, str):
        return stored
    text = stored.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def microseconds(time: datetime) -> int:
    """Count the microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(value: int) -> datetime:
    """Read what ``microseconds`` gave."""
    return _EPOCH + value * _MICROSECOND


def message_of(row: Sequence[Any], traits: MessageTraits) -> MemoryMessage:
    """Make a message of the columns message_id, position, speaker and text, and of its traits."""
    message_id, position, speaker, text = row
    role = _ROLES[traits & IS_OF_CHARACTER]
    return MemoryMessage(id_of(message_id), position, role, speaker, time_of(traits >> TRAIT_BITS), text)


def _version(analysis: TextAnalysis) -> int:
    name = f"{analysis.name} {sys.byteorder}"  # of numbers in blobs
    return _SCHEMA_VERSION << 24 | int.from_bytes(blake2b(name.encode(), digest_size=3).digest())


def _is_usable(path: Path, wanted: int) -> bool:
    before = _file(path)
    if before is None:
        return False
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE_S)
    try:
        [[version]] = database.execute("PRAGMA user_version").fetchall()
        database.execute("SELECT count(*) FROM (SELECT 1 FROM scopes LIMIT 1)")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY_CODE in _PASSING:
            raise
        return False
    except sqlite3.DatabaseError:
        return False
    finally:
        # What lies beside its name may be another's: this one may have been replaced meanwhile.
        database.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
        database.close()
    return bool(version == wanted) and _file(path) == before


def _file(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
