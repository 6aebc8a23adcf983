"""Small named values: one file each, with a checksum, because one written without a sync may be lost in part."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from idolchat_core import StorageError, check_record_version, names_after, record_version
from idolchat_storage_local.files.data_folder import DataFolder, parent_of
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.group_commit import FolderSync, Job
from idolchat_storage_local.files.record_names import RecordNames

__all__ = ["Records"]

log = logging.getLogger(__name__)

_FOOTER_SIZE = len(b"\n00000000\n")


class Records:
    """The records of a data folder."""

    def __init__(self, folder: DataFolder, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._names = RecordNames(disk)

    def get(self, namespace: str, name: str) -> bytes | None:
        """See ``Storage.get_record``."""
        path = self._path(namespace, name)
        try:
            fd = self._disk.open(path, writable=False)
        except FileNotFoundError:
            self._folder.require()
            return None
        try:
            data = self._disk.read(fd, self._disk.stat(fd).st_size, 0)
        finally:
            self._disk.close(fd)
        value = data[:-_FOOTER_SIZE]
        if data != value + _footer(value):
            log.warning("a record was not written to its end", extra={"namespace": namespace, "record": name})
            return None
        return value

    def put(self, namespace: str, name: str, value: bytes, *, durable: bool, if_version: str | None = None) -> Job[str]:
        """See ``Storage.put_record``."""
        path = self._path(namespace, name)
        temporary = yield from self._folder.prepare(path, value + _footer(value), durable=durable)
        try:
            with self._compared(namespace, name, if_version):
                self._disk.replace(temporary.path, path)
        except StorageError:
            self._disk.unlink(temporary.path)
            raise
        if durable:
            yield FolderSync(parent_of(path), temporary.status.st_dev)
        return record_version(value)

    def delete(self, namespace: str, name: str, *, if_version: str | None = None) -> Job[None]:
        """See ``Storage.delete_record``."""
        path = self._path(namespace, name)
        try:
            with self._compared(namespace, name, if_version):
                self._disk.unlink(path)
        except FileNotFoundError:
            self._folder.require()
        else:
            yield FolderSync(parent_of(path))

    def names(self, namespace: str, after: str = "", limit: int | None = None) -> Sequence[str]:
        """See ``Storage.list_records``; a namespace in which nothing changes is read once for all its pages."""
        try:
            names = self._names.of(f"{self._folder.records}/{namespace}")
        except FileNotFoundError:
            self._folder.require()
            return []
        return names_after(names, after, limit)

    @contextmanager
    def _compared(self, namespace: str, name: str, if_version: str | None) -> Generator[None]:
        """Keep every other comparing writer of any process out, and compare. Raises ``StorageConflict``."""
        if if_version is None:
            yield
            return
        with self._folder.arrivals():
            check_record_version(namespace, name, record_version(self.get(namespace, name)), if_version)
            yield

    def _path(self, namespace: str, name: str) -> str:
        return f"{self._folder.records}/{namespace}/{name}"


def _footer(value: bytes) -> bytes:
    return b"\n%08x\n" % zlib.crc32(value)
