"""Small named values: one file each, with a checksum, because one written without a sync may be lost in part."""

from __future__ import annotations

import logging
import zlib

from idolchat_storage_local.files.data_folder import DataFolder, is_temporary, parent_of
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.group_commit import Job

__all__ = ["Records"]

log = logging.getLogger(__name__)

_FOOTER_SIZE = len(b"\n00000000\n")


class Records:
    """The records of a data folder."""

    def __init__(self, folder: DataFolder, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk

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

    def put(self, namespace: str, name: str, value: bytes, *, durable: bool) -> Job[None]:
        """See ``Storage.put_record``."""
        path = self._path(namespace, name)
        temporary = yield from self._folder.prepare(path, value + _footer(value), durable=durable)
        self._disk.replace(temporary.path, path)
        if durable:
            yield parent_of(path)

    def delete(self, namespace: str, name: str) -> Job[None]:
        """See ``Storage.delete_record``."""
        path = self._path(namespace, name)
        try:
            self._disk.unlink(path)
        except FileNotFoundError:
            self._folder.require()
        else:
            yield parent_of(path)

    def names(self, namespace: str) -> list[str]:
        """See ``Storage.list_records``."""
        try:
            found = self._disk.names(f"{self._folder.records}/{namespace}")
        except FileNotFoundError:
            self._folder.require()
            return []
        return sorted(name for name in found if not is_temporary(name))

    def _path(self, namespace: str, name: str) -> str:
        return f"{self._folder.records}/{namespace}/{name}"


def _footer(value: bytes) -> bytes:
    return b"\n%08x\n" % zlib.crc32(value)
