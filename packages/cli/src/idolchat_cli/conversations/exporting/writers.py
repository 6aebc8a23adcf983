"""Write documents: JSON, JSON Lines, Markdown, a folder of files, an archive."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol
from uuid import UUID

from idolchat_cli.conversations.exporting.forms import Form
from idolchat_cli.conversations.exporting.markdown import markdown
from idolchat_core.models import utc_now
from idolchat_core.storage import document

__all__ = ["Archive", "Writer", "folder_writer", "open_archive", "open_writer"]

_GZIP_LEVEL = 3
"""Text gets three quarters smaller at twice the speed of the usual level, which gains little."""

type Writer = Callable[[UUID, bytes], object]
"""Writes a conversation's document."""


class Archive(Protocol):
    """Holds files by name."""

    def add_file(self, name: str, data: bytes) -> None:
        """Write a file."""


@contextmanager
def open_writer(form: Form, stream: IO[bytes], *, about: bytes) -> Iterator[Writer]:
    """Write to a stream in one of the forms; ``about`` goes into an archive before all else."""
    if form in _TEXTS:
        yield lambda conversation_id, data: stream.write(_TEXTS[form](conversation_id, data))
    else:
        with open_archive(form, stream, about=about) as archive:
            yield lambda conversation_id, data: archive.add_file(f"conversations/{conversation_id}.json", data)


@contextmanager
def open_archive(
    form: Form, stream: IO[bytes], *, about: bytes, name: str = "idolchat-export.json"
) -> Iterator[Archive]:
    """Write an archive, whose first file says what it is."""
    with _ARCHIVES[form](stream) as archive:
        archive.add_file(name, about)
        yield archive


def folder_writer(path: Path, form: Form) -> Writer:
    """Write a file for each conversation; not all or nothing, as one file is."""
    path.mkdir(parents=True, exist_ok=True)
    suffix = "md" if form is Form.MARKDOWN else form.value
    return lambda conversation_id, data: (path / f"{conversation_id}.{suffix}").write_bytes(
        _TEXTS[form](conversation_id, data)
    )


def _as_json(conversation_id: UUID, data: bytes) -> bytes:
    return data.rstrip(b"\n") + b"\n"


def _as_line(conversation_id: UUID, data: bytes) -> bytes:
    # In JSON a line end is never within a value, so that each can be taken for a blank.
    return data.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


def _as_markdown(conversation_id: UUID, data: bytes) -> bytes:
    return markdown(document.decode(data, conversation_id)).encode()


class _Tar:
    """Files one after the other, so that memory does not grow with them, as that of ``tarfile.TarFile`` does."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._time = int(utc_now().timestamp())

    def add_file(self, name: str, data: bytes) -> None:
        about = tarfile.TarInfo(name)
        about.size, about.mtime, about.mode = len(data), self._time, 0o600
        self._write(about.tobuf() + data + bytes(-len(data) % tarfile.BLOCKSIZE))

    def close(self) -> None:
        """Write what says that no more follows."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))


@contextmanager
def _tar(stream: IO[bytes] | gzip.GzipFile) -> Iterator[Archive]:
    archive = _Tar(stream.write)
    yield archive
    archive.close()


@contextmanager
def _tar_gz(stream: IO[bytes]) -> Iterator[Archive]:
    with gzip.open(stream, "wb", compresslevel=_GZIP_LEVEL) as small, _tar(small) as archive:
        yield archive


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive

    def add_file(self, name: str, data: bytes) -> None:
        self._zip.writestr(name, data)


@contextmanager
def _zip(stream: IO[bytes]) -> Iterator[Archive]:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=_GZIP_LEVEL) as archive:
        yield _Zip(archive)


_TEXTS = {Form.JSON: _as_json, Form.JSONL: _as_line, Form.MARKDOWN: _as_markdown}
_ARCHIVES: dict[Form, Callable[[IO[bytes]], AbstractContextManager[Archive]]] = {
    Form.TAR: _tar,
    Form.TAR_GZ: _tar_gz,
    Form.ZIP: _zip,
}
