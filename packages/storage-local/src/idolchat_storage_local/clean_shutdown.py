"""Whether the index can be believed without a look at every file: so that a short command need not take one.

It can be, when whoever used the folder before closed it, in this run of the machine, and no folder has changed since;
or when somebody else is using it now, who has looked at every file since. Every process holds a lock on a file of its
own in ``run/``, in which it writes when it has looked; one that died leaves its file behind, without a lock.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from idolchat_core import StorageUnavailable
from idolchat_storage_local.files.data_folder import DataFolder, is_temporary
from idolchat_storage_local.files.disk import Disk
from idolchat_storage_local.index.sqlite_file import IndexBroken, IndexBusy
from idolchat_storage_local.index.write_behind import WriteBehindIndex
from idolchat_storage_local.scan_rounds import ScanRounds

__all__ = ["CleanShutdown"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOT = "boot"
_LOOKED = b"looked\n"


class CleanShutdown:
    """Knows who uses a data folder, and how the folders were when the index was last as they are.

    Any thread may say that the index is lost: what a round of the scan has found then counts no more.
    """

    def __init__(self, folder: DataFolder, disk: Disk, index: WriteBehindIndex, rounds: ScanRounds) -> None:
        self._folder = folder
        self._disk = disk
        self._index = index
        self._rounds = rounds
        self._lock = threading.Lock()  # of the own file: what is written last is how it is
        self._own: tuple[int, str] | None = None
        self._dead: list[str] = []

    def enter(self) -> None:
        """Show that this process uses the folder."""
        with suppress(OSError):
            self._disk.mkdir(self._folder.run)
            path = f"{self._folder.run}/{os.getpid()}.{secrets.token_hex(4)}.lock"
            # Locked before it has its name: whoever found it without a lock would think that this process had died.
            temporary = self._folder.temporary(path)
            fd = self._disk.create(temporary)
            self._disk.lock(fd)
            self._disk.replace(temporary, path)
            self._own = fd, path

    def leave(self, *, has_all: bool) -> None:
        """Show that it does not any more; ``has_all`` says that everything could be read."""
        if self._own is None:
            return
        number = self._rounds.number
        is_in_order = self._index.is_kept
        if has_all and self._rounds.finished.done() and not self.others() and not self._dead:
            is_in_order = is_in_order and self._note(number)
        with self._lock:
            (fd, path), self._own = self._own, None  # the index may be lost still, and another file have this number
            self._disk.close(fd)
        if is_in_order:
            with suppress(OSError):
                self._disk.unlink(path)

    def others(self) -> Mapping[str, bool]:
        """Return who else uses the folder, and whether they have looked at every file; remember those that died."""
        alive: dict[str, bool] = {}
        for path in self._others():
            if self._is_alive(path):
                alive[path] = self._has_looked(path)
            elif path not in self._dead:
                self._dead.append(path)
        return alive

    def changed(self) -> list[str] | None:
        """List the folders that are to be looked through before the index can be believed; None for all of it."""
        if self._own is None:
            return None
        alive = self.others()
        noted = self._noted()
        boot = _boot_id()
        if self._dead or not boot or noted.get(_BOOT) != boot:
            return None
        if alive:
            return [] if any(alive.values()) else None
        return [path for path, mtime in self._times().items() if noted.get(path) != mtime]

    def looked(self, number: int) -> None:
        """Record that this round has scanned the whole folder; processes that died before no longer count."""
        if not self._note(number):
            return
        for path in self._dead:
            with suppress(OSError):
                self._disk.unlink(path)
        self._dead.clear()
        with self._lock:
            if self._own is not None and number == self._rounds.number:
                with suppress(OSError):
                    self._disk.write(self._own[0], _LOOKED, 0)

    def lose(self) -> None:
        """Record that the index no longer agrees with the files, and that the round does not count."""
        with self._lock:
            if self._own is not None:
                with suppress(OSError):
                    self._disk.truncate(self._own[0], 0)

    def _others(self) -> list[str]:
        own = self._own and self._own[1]
        with suppress(OSError):
            names = self._disk.names(self._folder.run)
            found = [f"{self._folder.run}/{name}" for name in names if not is_temporary(name)]
            return [path for path in found if path != own]
        return []

    def _has_looked(self, path: str) -> bool:
        try:
            return Path(path).read_bytes() == _LOOKED
        except OSError:
            return False

    def _is_alive(self, path: str) -> bool:
        try:
            fd = self._disk.open(path, writable=True)
        except FileNotFoundError:
            return True  # it has just left, in order
        except OSError:
            return False
        try:
            return not self._disk.lock(fd)
        finally:
            self._disk.close(fd)

    def _note(self, number: int) -> bool:
        """Record the state of the folders, and return whether the index is up to date, and this round still counts."""
        boot = _boot_id()
        try:
            self._index.wait_until_updated()
            now = {_BOOT: boot or "", **self._times()}
            if now != self._index.looked():
                self._index.note_looked(now)
            if number != self._rounds.number:  # it may stand in an index that was made anew, and is empty
                self._index.note_looked({})
                return False
        except (IndexBroken, IndexBusy, StorageUnavailable):
            return False
        return True

    def _noted(self) -> dict[str, str]:
        try:
            return self._index.looked()
        except (IndexBroken, IndexBusy):
            return {}

    def _times(self) -> dict[str, str]:
        times = {}
        # The first is the data folder itself, where the index and others come and go; lists look at it every time.
        for path in list(self._folder.folders())[1:]:
            with suppress(OSError):
                times[path] = str(Path(path).stat().st_mtime_ns)
        return times


def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None
