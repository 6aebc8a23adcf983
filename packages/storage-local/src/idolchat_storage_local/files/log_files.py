"""Logs: one file each, which grows at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from idolchat_storage_local.files.data_folder import DataFolder, parent_of
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.group_commit import FileSync, FolderSync, Job

__all__ = ["AddLines", "Logs"]

_NEWLINE = b"\n"


class AddLines(NamedTuple):
    """Lines to be added to a log."""

    namespace: str
    name: str
    lines: bytes
    durable: bool


class Logs:
    """The logs of a data folder."""

    def __init__(self, folder: DataFolder, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._whole: set[str] = set()

    def add(self, wanted: Sequence[AddLines]) -> Job[None]:
        """See ``Storage.append_log``; all are of one log, and are written at once."""
        path = self._path(wanted[0].namespace, wanted[0].name)
        durable = any(one.durable for one in wanted)
        fd, is_new = yield from self._open(path)
        try:
            lines = b"".join([one.lines for one in wanted])
            if path not in self._whole and not self._ends_whole(fd):
                lines = _NEWLINE + lines  # a crash has cut the last line short: it stays by itself
            self._whole.discard(path)
            self._disk.append(fd, lines)
            self._whole.add(path)
            if durable:
                status = self._disk.stat(fd)
                yield FileSync(fd, status.st_size - len(lines), len(lines), status.st_dev)
        finally:
            self._disk.close(fd)
        if durable and is_new:
            yield FolderSync(parent_of(path))

    def read(self, namespace: str, name: str, start: int) -> bytes:
        """See ``Storage.read_log``."""
        try:
            fd = self._disk.open(self._path(namespace, name), writable=False)
        except FileNotFoundError:
            self._folder.require()
            return b""
        try:
            return self._disk.read(fd, max(0, self._disk.stat(fd).st_size - start), start)
        finally:
            self._disk.close(fd)

    def names(self, namespace: str) -> list[str]:
        """See ``Storage.list_logs``."""
        try:
            return sorted(self._disk.names(f"{self._folder.logs}/{namespace}"))
        except FileNotFoundError:
            self._folder.require()
            return []

    def _open(self, path: str) -> Job[tuple[int, bool]]:
        try:
            return self._disk.open_log(path, new=False), False
        except FileNotFoundError:
            self._folder.require()
            self._whole.discard(path)
        yield from self._folder.make(parent_of(path))
        return self._disk.open_log(path, new=True), True

    def _ends_whole(self, fd: int) -> bool:
        size = self._disk.stat(fd).st_size
        return not size or self._disk.read(fd, 1, size - 1) == _NEWLINE

    def _path(self, namespace: str, name: str) -> str:
        return f"{self._folder.logs}/{namespace}/{name}"
