"""The archive: a tar.gz of files that say what they are, and at its end the SHA-256 of each.

    idolchat-backup.json            form, version, time, storage
    records/<namespace>/<name>      keys, the state of running turns, ...
    conversations/<id>.json         as stored
    damaged/<id>                    the bytes of a conversation that cannot be read
    logs/<namespace>/<name>         the ledger, ...
    SHA256SUMS                      as sha256sum(1) checks it; an archive without it is not whole

What it holds can be got out with tar alone.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import idolchat_cli
from idolchat_cli.conversations.exporting.forms import Form
from idolchat_cli.conversations.exporting.writers import Archive, open_archive
from idolchat_core.errors import IdolchatError
from idolchat_core.models import utc_now

__all__ = ["BackupDamaged", "files_of", "open_backup"]

ABOUT, SUMS = "idolchat-backup.json", "SHA256SUMS"
FORM = 1
_UNREADABLE = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError)


class BackupDamaged(IdolchatError):
    """The archive is no backup, or not the whole one that was written."""

    code = "backup_damaged"


class _Summed:
    """Adds files to an archive, and the sum of each to a list."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._sums: list[str] = []

    def add_file(self, name: str, data: bytes) -> None:
        """Write a file."""
        self._archive.add_file(name, data)
        self._sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")

    def close(self) -> None:
        """Write the list."""
        self._archive.add_file(SUMS, "".join(self._sums).encode())


@contextmanager
def open_backup(stream: IO[bytes], *, storage_name: str) -> Iterator[Archive]:
    """Write a backup, which is whole when the block ends without an error."""
    about = {"form": FORM, "version": idolchat_cli.__version__, "made_at": utc_now(), "storage": storage_name}
    with open_archive(Form.TAR_GZ, stream, about=json.dumps(about, default=str).encode(), name=ABOUT) as archive:
        summed = _Summed(archive)
        yield summed
        summed.close()


def files_of(stream: IO[bytes], path: str) -> Iterator[tuple[str, bytes]]:
    """Yield each file of a backup, one in memory at a time, from its start, wherever the stream stands.

    Raises ``BackupDamaged``, at the end at the latest, which names the path.
    """
    sums: dict[str, str] = {}
    try:
        stream.seek(0)
        with tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for number, (name, data) in enumerate(_members(archive)):
                if number == 0:
                    _check_form(name, data, path)
                elif name == SUMS:
                    _compare(data.decode(), sums, path)
                    return
                else:
                    sums[name] = hashlib.sha256(data).hexdigest()
                    yield name, data
    except _UNREADABLE as error:
        raise BackupDamaged(f"{path} cannot be read as a backup: {error}") from error
    raise BackupDamaged(f"{path} ends too early: it was cut off, and is not the whole backup")


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        file = archive.extractfile(member)
        if file is not None:
            yield member.name, file.read()


def _check_form(name: str, data: bytes, path: str) -> None:
    if name != ABOUT:
        raise BackupDamaged(
            f"{path} is no backup of `idol backup`; what `idol conversations export` wrote is imported by"
            " `idol conversations import`"
        )
    form = json.loads(data)["form"]
    if form != FORM:
        raise BackupDamaged(f"{path} is a backup of form {form}, and this version reads {FORM}: update idolchat")


def _compare(listed: str, found: dict[str, str], path: str) -> None:
    wanted = {name: digest for digest, _, name in (line.partition("  ") for line in listed.splitlines())}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise BackupDamaged(f"{path} is damaged: {name} is not as it was written")
