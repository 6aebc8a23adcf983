"""A disk that fails on demand, and a process that dies at a given call: steers the shim in ``faults.c``."""

import ctypes
import errno
import mmap
import subprocess
import sys
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Self

import pytest

__all__ = ["CHANGES", "ERRORS", "Faults", "Kind", "compile_shim", "error_name"]

SOURCE = Path(__file__).with_suffix(".c")
PATH_MAX = 4096
FOR_EVER = 1 << 62
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT]
"""What a disk answers that cannot be written to."""


class Kind(IntFlag):
    """A kind of call; those that make files count by ``CREATE``, folders and links too."""

    WRITE = 1
    SYNC = 2
    RENAME = 4
    TRUNCATE = 8
    UNLINK = 16
    CREATE = 32
    READ = 64


CHANGES = Kind.WRITE | Kind.SYNC | Kind.RENAME | Kind.TRUNCATE | Kind.UNLINK | Kind.CREATE


class Action(IntEnum):
    NOTHING = 0
    KILL = 1
    FAIL = 2


class Control(ctypes.Structure):
    """The memory that is shared with the process; see ``struct control``."""

    kinds: int
    first: int
    last: int
    action: int
    error: int
    is_torn: int
    count: int
    hits: int
    what: bytes
    where: bytes
    root: bytes

    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("kinds", "first", "last", "action", "error", "is_torn")),
        *((name, ctypes.c_uint64) for name in ("count", "hits")),
        ("what", ctypes.c_char * 32),
        ("where", ctypes.c_char * PATH_MAX),
        ("root", ctypes.c_char * PATH_MAX),
    ]


class Faults:
    """What happens to one process's calls on files below ``root``; calls are counted from 1, from now on."""

    def __init__(self, path: Path, *, root: Path) -> None:
        self.path = path
        path.write_bytes(bytes(ctypes.sizeof(Control)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._control = Control.from_buffer(self._memory)
        self._control.root = str(root).encode()
        self._control.kinds = CHANGES

    @property
    def count(self) -> int:
        """How many calls there were."""
        return self._control.count

    @property
    def hits(self) -> int:
        """How many calls were hit since something was last asked for."""
        return self._control.hits

    @property
    def last_hit(self) -> str:
        """Describe the last call that was hit, for the message of an assertion."""
        where = self._control.where.decode().removeprefix(self._control.root.decode())
        return f"{self._control.what.decode()} {where}"

    def count_only(self, kinds: Kind) -> Self:
        """Count these kinds of calls, and do nothing about them."""
        self.release()
        self._control.kinds = kinds
        return self

    def kill_at(self, number: int, *, torn: bool = False, kinds: Kind = CHANGES) -> Self:
        """Kill the process before its n-th call from now, or half-way in where that is a write and ``torn``."""
        return self._arm(Action.KILL, number, number, torn=torn, kinds=kinds)

    def fail_at(self, number: int, error: int, *, lasting: bool, torn: bool = False, kinds: Kind = CHANGES) -> Self:
        """Let the n-th call from now fail, and all after it if ``lasting``.

        With ``torn`` a write is done by half before the next one fails; with error 0 as well, it is short and no more.
        """
        last = FOR_EVER if lasting else number + (1 if torn and error else 0)
        return self._arm(Action.FAIL, number, last, error=error, torn=torn, kinds=kinds)

    def release(self) -> Self:
        """Let all go well again."""
        self._control.action = Action.NOTHING
        return self

    def _arm(
        self, action: Action, first: int, last: int, *, error: int = 0, torn: bool = False, kinds: Kind = CHANGES
    ) -> Self:
        self.release()
        control = self._control
        control.kinds = kinds
        control.error, control.is_torn, control.hits = error, torn, 0
        control.first, control.last = control.count + first, control.count + last
        control.action = action
        return self


def compile_shim(folder: Path) -> Path:
    """Build the library that is loaded into the servers."""
    if sys.platform != "linux":
        pytest.skip("calls are intercepted by LD_PRELOAD, which is of Linux")
    library = folder / "faults.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o", str(library), str(SOURCE)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.fail("the crash tests need a C compiler: apt-get install gcc libc6-dev")
    except subprocess.CalledProcessError as error:
        pytest.fail(f"the shim does not compile (apt-get install gcc libc6-dev): {error.stderr}")
    return library


def error_name(number: int) -> str:
    """Return the name of an error of the system, such as ``ENOSPC``."""
    return errno.errorcode[number]
