"""The data folder: what lies where in it, and whether it is there at all.

<data_dir>/
    idolchat.json                      the marker: this is an idolchat data folder, and which one
    conversations/<2 hex>/<uuid>.json  the documents, by the last two digits of the id, the random ones
    conversations/<uuid>.json          also found: files of the original service, until the first write
    <uuid>.json                        also found: the same
    damaged/                           bytes that were cut off or replaced, kept
    records/<namespace>/<name>         small named values
    logs/<namespace>/<name>            lines that are only ever added to
    index.sqlite3                      derived from the documents; may be removed while nothing runs
    run/                               who uses the folder: a locked file for each process
    search.sqlite3                     the same; made when somebody searches
    *.sqlite3.lock                     empty; held by the process that makes one of the two
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

from idolchat_core import ConfigurationError, IdSet, StorageUnavailable, id_text, new_id
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.files.group_commit import FileSync, FolderSync, Job, run_alone

__all__ = ["DataFolder", "Prepared", "conversation_id_of", "is_temporary", "parent_of"]

_MARKER = "idolchat.json"
_MAX_MADE = 4096
"""Folders that are known to be there; each conversation may have some of its own."""


def conversation_id_of(name: str) -> UUID | None:
    """Return whose document a file of this name is."""
    if len(name) != 41 or not name.endswith(".json"):
        return None
    try:
        conversation_id = UUID(name[:-5])
    except ValueError:
        return None
    return conversation_id if str(conversation_id) == name[:-5] else None


def parent_of(path: str) -> str:
    """Name the folder of a file."""
    return path.rpartition("/")[0]


def is_temporary(name: str) -> bool:
    """Return whether a file of this name was being written, to take the place of another."""
    return name.startswith(".") and name.endswith(".tmp")


class Prepared(NamedTuple):
    """A file that is written and has no name of its own yet, and what the file system says of it."""

    path: str
    status: os.stat_result

    @property
    def mtime_ns(self) -> int:
        """When it was written, in nanoseconds."""
        return self.status.st_mtime_ns


class DataFolder:
    """Paths in the data folder, as strings: they are made for every call."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.root = path.absolute().as_posix()
        self.conversations = f"{self.root}/conversations"
        self.records = f"{self.root}/records"
        self.logs = f"{self.root}/logs"
        self.damaged = f"{self.root}/damaged"
        self.index = f"{self.root}/index.sqlite3"
        self.run = f"{self.root}/run"
        self.search = f"{self.root}/search.sqlite3"
        self._disk = disk
        self._marker = f"{self.root}/{_MARKER}"
        self._marked = ""
        self._marker_file = (0, 0)
        self._made: set[str] = set()
        self._arrivals = threading.Lock()

    def open(self) -> None:
        """Open the folder, making it first where it is new. Raises ``ConfigurationError``."""
        try:
            Path(self.root).mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._disk.exists(self._marker):
                self._initialise()
            self._marked, self._marker_file = self._read_marker()
        except OSError as error:
            raise ConfigurationError(
                f"IDOLCHAT_DATA_DIR is {self.root}, where nothing can be kept: {error.strerror or error}."
                " Name a folder that the server may read and write"
            ) from error

    def require(self) -> None:
        """Raise ``StorageUnavailable`` unless this is still the folder that was opened."""
        try:
            found = os.stat(self._marker)  # noqa: PTH116  a Path would cost more than the call, for every turn
            if (found.st_dev, found.st_ino) == self._marker_file:
                return
            marked, marker_file = self._read_marker()
        except (FileNotFoundError, NotADirectoryError):
            raise StorageUnavailable(
                f"the data folder {self.root} is not there, or is another one: its marker {_MARKER} is missing."
                " Mount the volume that it was on; nothing is written until then"
            ) from None
        if marked != self._marked:
            raise StorageUnavailable(
                f"the data folder {self.root} is not the one that was opened: its marker {_MARKER} has another id."
                " Mount the right volume, or start the server again to use this one"
            )
        self._marker_file = marker_file

    def document(self, conversation_id: UUID) -> str:
        """Name the file of a conversation."""
        name = id_text(conversation_id)
        return f"{self.conversations}/{name[-2:]}/{name}.json"

    def is_in_place(self, path: str) -> bool:
        """Return whether a conversation's file lies where it belongs, and not where the original service kept it."""
        name = path.rpartition("/")[2]
        return path == f"{self.conversations}/{name[-7:-5]}/{name}"

    def strays(self, conversation_id: UUID) -> tuple[str, str]:
        """Name where else a file of the original service may lie."""
        name = id_text(conversation_id)
        return f"{self.conversations}/{name}.json", f"{self.root}/{name}.json"

    def places(self, conversation_id: UUID) -> tuple[str, ...]:
        """Name all places where the file of a conversation may lie, the right one first."""
        return self.document(conversation_id), *self.strays(conversation_id)

    def find(self, conversation_id: UUID) -> str | None:
        """Find the file of a conversation; None when the folder is there and the file is not."""
        path = next(filter(self._disk.exists, self.places(conversation_id)), None)
        if path is None:
            self.require()
        return path

    def ids(self) -> IdSet:
        """List whose documents there are, by the files alone. Raises ``OSError``, ``StorageUnavailable``."""
        self.require()
        there = (path for path in self.folders() if self._disk.exists(path))
        names = (name for path in there for name in self._disk.names(path))
        return IdSet(filter(None, map(conversation_id_of, names)))

    def folders(self) -> Iterator[str]:
        """Name every folder that may hold documents."""
        yield self.root
        yield self.conversations
        yield from (f"{self.conversations}/{number:02x}" for number in range(256))

    def namespaces(self) -> list[str]:
        """List the namespaces of records and logs. Raises ``OSError``, ``StorageUnavailable``."""
        self.require()
        there = [path for path in (self.records, self.logs) if self._disk.exists(path)]
        return sorted({name for path in there for name in self._disk.names(path)})

    def place_of(self, path: str) -> str:
        """Name a file or folder as it is called in the index and in messages; ``.`` is the data folder itself."""
        if path == self.root:
            return "."
        place = path[len(self.root) + 1 :]
        return f"./{place}" if place.endswith(".json") and "/" not in place else place

    def probe(self) -> None:
        """Write and sync a little, to see whether it can be done. Raises ``OSError``, ``StorageUnavailable``."""
        self.require()
        self._disk.unlink(run_alone(self._disk, self.prepare(f"{self.conversations}/probe", bytes(4096))).path)

    def make(self, path: str) -> Job[None]:
        """Make a folder below the data folder, durably, if it is not known to be there."""
        if path in self._made:
            return
        self.require()
        parent = parent_of(path)
        if parent != self.root:
            yield from self.make(parent)
        if not self._disk.exists(path):
            self._disk.mkdir(path)
            yield FolderSync(parent)
        if len(self._made) >= _MAX_MADE:
            self._made.clear()
        self._made.add(path)

    def temporary(self, path: str) -> str:
        """Name a file to write before it takes the place of another; ``is_temporary`` knows such names."""
        folder, _, name = path.rpartition("/")
        return f"{folder}/.{name}.{new_id().hex}.tmp"

    def write_whole(self, path: str, data: bytes) -> Job[Prepared]:
        """Write a file that takes the place of what has its name, all or nothing, durably."""
        temporary = yield from self.prepare(path, data)
        self._disk.replace(temporary.path, path)
        yield FolderSync(parent_of(path), temporary.status.st_dev)
        return temporary

    def prepare(self, path: str, data: bytes, *, durable: bool = True) -> Job[Prepared]:
        """Write a temporary file for a path; the caller renames it."""
        yield from self.make(parent_of(path))
        temporary = self.temporary(path)
        fd = self._create(temporary)
        try:
            self._disk.write(fd, data, 0)
            status = self._disk.stat(fd)
            if durable:
                yield FileSync(fd, 0, len(data), status.st_dev)
        except BaseException:
            self._disk.unlink(temporary)
            raise
        finally:
            self._disk.close(fd)
        return Prepared(temporary, status)

    def _create(self, path: str) -> int:
        try:
            return self._disk.create(path)
        except FileNotFoundError:
            # The folder was there before: either the volume has gone, or somebody removed it.
            self._made.clear()
            self.require()
            raise

    def set_aside(self, conversation_id: UUID, data: bytes, *, suffix: str) -> Job[str]:
        """Keep bytes that are about to be cut off or replaced, and name the file that has them."""
        time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = f"{self.damaged}/{conversation_id}.{time}.{suffix}"
        yield from self.write_whole(path, data)
        return path

    def set_aside_for(self, conversation_id: UUID) -> Iterator[str]:
        """Find what was kept of a conversation."""
        if self._disk.exists(self.damaged):
            names = self._disk.names(self.damaged)
            yield from (f"{self.damaged}/{name}" for name in names if name.startswith(f"{conversation_id}."))

    @contextmanager
    def arrivals(self) -> Generator[None]:
        """Lock the names of new conversations against every other thread and process."""
        with self._arrivals:
            self.require()
            fd = self._disk.open(self._marker, writable=True)
            try:
                self._disk.wait_for_lock(fd, self._marker)
                yield
            finally:
                with suppress(OSError):  # nothing was written there, and the lock is gone all the same
                    self._disk.close(fd)

    def _initialise(self) -> None:
        for path in (self.conversations, self.records):
            self._disk.mkdir(path)
        text = json.dumps({"what": "idolchat data folder", "format": 1, "id": str(uuid4())}) + "\n"
        temporary = self.temporary(self._marker)
        fd = self._disk.create(temporary)
        try:
            self._disk.write(fd, text.encode(), 0)
            self._disk.sync(fd)
        finally:
            self._disk.close(fd)
        try:
            # Of two processes that start at once, one makes the marker and both use it.
            os.link(temporary, self._marker)
        except FileExistsError:
            self._disk.unlink(temporary)
        except OSError:
            # A file system without hard links.
            self._disk.replace(temporary, self._marker)
        else:
            self._disk.unlink(temporary)
        self._disk.sync_folder(self.root)
        self._disk.sync_folder(str(Path(self.root).parent))

    def _read_marker(self) -> tuple[str, tuple[int, int]]:
        with Path(self._marker).open("rb") as file:
            text = file.read()
            found = os.fstat(file.fileno())
        return text.decode(errors="replace"), (found.st_dev, found.st_ino)
