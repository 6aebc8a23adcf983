"""Where the server of a data folder can be reached, and what lets its owner in, for commands on the same machine."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from idolchat_core.errors import ConfigurationError
from idolchat_core.storage.data_lock import is_served

__all__ = ["ServerAddress", "announced", "running_server"]

ADDRESS_FILE = "server.json"
"""Readable by its owner alone, who can read all conversations in the folder anyway."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The URL of a server, and a token of this run of it, which it takes from this machine only."""

    url: str
    token: str = field(repr=False)


@contextmanager
def announced(folder: Path, url: str) -> Generator[str | None]:
    """Write down where the server is until it ends, and yield its token; None where the disk takes no write."""
    path, token = folder / ADDRESS_FILE, secrets.token_urlsafe(32)
    new = path.with_name(f"{ADDRESS_FILE}.{secrets.token_hex(4)}.new")
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        with os.fdopen(file, "w") as written:
            json.dump({"url": url, "token": token}, written)
        new.replace(path)
    except OSError:
        token = ""
    try:
        yield token or None
    finally:
        for left in (new, path):
            with suppress(OSError):
                left.unlink(missing_ok=True)


def running_server(folder: Path) -> ServerAddress | None:
    """Find the server that runs on a data folder; None where none does.

    Raises ``ConfigurationError`` where one runs and it cannot be told where, or the file is not its owner's alone.
    """
    if not is_served(folder):
        return None
    path = folder / ADDRESS_FILE
    try:
        with path.open("rb") as file:
            _check_owner(os.fstat(file.fileno()), path)
            told = json.load(file)
            return ServerAddress(str(told["url"]), str(told["token"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"a server runs on the data folder {folder}, and {path} does not tell this user where ({error}): run this"
            " as the server's user, talk to the server over HTTP, or stop it"
        ) from error


def _check_owner(found: os.stat_result, path: Path) -> None:
    if sys.platform != "win32" and (found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o077):
        raise ConfigurationError(f"{path} can be read or was written by other users, so it is not believed; remove it")
