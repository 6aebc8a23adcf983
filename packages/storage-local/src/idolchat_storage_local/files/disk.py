"""The calls on the file system that everything here rests on."""

# Paths are strings here: they are made anew for every call.
# ruff: noqa: PTH102, PTH105, PTH108, PTH112, PTH113, PTH116, PTH208

from __future__ import annotations

import errno
import os
import sys
import time
from typing import ClassVar

from idolchat_core import StorageUnavailable
from idolchat_storage_local.files.whole_sync import can_sync_whole, sync_whole

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["Disk", "unavailable"]

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_OPEN_FLAGS = _FLAGS | getattr(os, "O_NONBLOCK", 0)
"""Nothing to a file; a FIFO that somebody has put in its place would be waited for without it (open(2))."""

_ADVICE = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "raise the quota or free some space",
    errno.EFBIG: "raise the limit on file sizes",
    errno.EROFS: "mount that disk writable",
    errno.EIO: "check the disk: it fails to read or write",
    errno.EACCES: "let the server read and write there",
    errno.EPERM: "let the server read and write there",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the limit on open files of this machine",
    errno.ENOLCK: "keep the data folder on a disk of this machine: files cannot be locked there",
    errno.EOPNOTSUPP: "keep the data folder on a disk of this machine",
    errno.ENOENT: "check that the volume of the data folder is mounted",
}


def unavailable(error: OSError) -> StorageUnavailable:
    """Make the error that says what the file system refused, where, and what to do."""
    reason = error.strerror or str(error)
    place = f": {error.filename}" if error.filename else ""
    advice = _ADVICE.get(error.errno or 0)
    return StorageUnavailable(f"local storage cannot go on: {reason}{place}{f'; {advice}' if advice else ''}")


class Disk:
    """What is asked of the operating system, one method a call; errors are ``OSError``.

    Reads and writes are complete or raise. Tests hand in one whose n-th call fails.
    """

    lock_patience_s: ClassVar[float] = 10.0
    """How long to wait for a file that another process has locked."""

    def open(self, path: str, *, writable: bool) -> int:
        """Open a file that exists, or whatever else has its name."""
        return os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | _OPEN_FLAGS)

    def create(self, path: str) -> int:
        """Make a file that did not exist, for its owner only, and open it."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)

    def open_log(self, path: str, *, new: bool) -> int:
        """Open a file whose writes go to its end, whoever else writes to it; make it first where it is new."""
        made = os.O_CREAT if new else 0
        return os.open(path, os.O_RDWR | os.O_APPEND | made | _FLAGS, 0o600)

    def close(self, fd: int) -> None:
        """Close a file, which lets go of its lock."""
        os.close(fd)

    def stat(self, fd: int) -> os.stat_result:
        """Describe an open file."""
        return os.fstat(fd)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """Read up to the size or the end of the file."""
        data = _read_at(fd, size, offset)
        while len(data) < size and (more := _read_at(fd, size - len(data), offset + len(data))):
            data += more
        return data

    def write(self, fd: int, data: bytes, offset: int) -> None:
        """Write all of it."""
        written = _write_at(fd, data, offset)
        while written < len(data):
            written += _write_at(fd, data[written:], offset + written)

    def append(self, fd: int, data: bytes) -> None:
        """Write all of it at the end of a file from ``open_log``."""
        written = os.write(fd, data)
        while written < len(data):
            written += os.write(fd, data[written:])

    def truncate(self, fd: int, size: int) -> None:
        """Cut or extend a file to a size."""
        os.ftruncate(fd, size)

    def start_sync(self, fd: int, offset: int, size: int) -> None:
        """Ask that part of a file be on its way to the disk, without waiting for it.

        With many files, their ``sync`` calls then find most of the work done: twice as many a second on ext4.
        """
        if hasattr(os, "posix_fadvise"):
            # Linux starts to write the range; what it would drop from memory after that is not clean yet, so stays.
            os.posix_fadvise(fd, offset, size, os.POSIX_FADV_DONTNEED)

    def sync(self, fd: int) -> None:
        """Wait until a file's data, and what is needed to read it, are on the disk."""
        _sync(fd)

    def sync_folder(self, path: str) -> None:
        """Wait until a folder's names are on the disk."""
        if sys.platform != "win32":
            fd = os.open(path, os.O_RDONLY | _FLAGS)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def open_whole(self, path: str) -> int | None:
        """Open a folder for ``sync_whole``; None where that cannot be relied on."""
        return os.open(path, os.O_RDONLY | _FLAGS) if can_sync_whole(path) else None

    def sync_whole(self, fd: int) -> None:
        """Wait until all that was written to a file system, by whomever, is on the disk."""
        sync_whole(fd)

    def replace(self, source: str, target: str) -> None:
        """Rename a file, in place of what had that name."""
        os.replace(source, target)

    def unlink(self, path: str) -> None:
        """Remove a name."""
        os.unlink(path)

    def mkdir(self, path: str) -> None:
        """Make a folder for its owner only; that it is there is no error."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not os.path.isdir(path):
                raise

    def exists(self, path: str) -> bool:
        """Whether there is something of that name, were it a link to nothing."""
        return os.path.lexists(path)

    def is_file(self, path: str) -> bool:
        """Whether a name is that of a file, or of a link to one."""
        return os.path.isfile(path)

    def changed_ns(self, path: str) -> int:
        """Return when a folder's names changed last, in nanoseconds."""
        return os.stat(path).st_mtime_ns

    def names(self, path: str) -> list[str]:
        """List what is in a folder."""
        return os.listdir(path)

    def lock(self, fd: int, *, shared: bool = False) -> bool:
        """Lock an open file, unless another opener has; return whether it is locked now."""
        return _lock(fd, shared=shared)

    def unlock(self, fd: int) -> None:
        _unlock(fd)

    def wait_for_lock(self, fd: int, path: str, *, shared: bool = False) -> None:
        """Lock a file as soon as that can be done. Raises ``StorageUnavailable`` when another keeps it."""
        deadline = time.monotonic() + self.lock_patience_s
        pause_s = 0.0005
        while not self.lock(fd, shared=shared):
            if time.monotonic() > deadline:
                raise StorageUnavailable(
                    f"another process has locked {path} for more than {self.lock_patience_s:g} seconds; end it"
                )
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.02)


if sys.platform == "win32":

    def _read_at(fd: int, size: int, offset: int) -> bytes:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)

    def _write_at(fd: int, data: bytes, offset: int) -> int:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, data)

    def _lock(fd: int, *, shared: bool) -> bool:
        # Locks there are mandatory: one byte far behind any document stands for the file.
        os.lseek(fd, 1 << 62, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(fd: int) -> None:
        os.lseek(fd, 1 << 62, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

    _sync = os.fsync

else:
    _read_at = os.pread
    _write_at = os.pwrite

    def _lock(fd: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)

    if sys.platform == "darwin":

        def _sync(fd: int) -> None:
            # fsync leaves the data in the drive's own cache there: fsync(2) of macOS.
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

    else:
        _sync = os.fdatasync
