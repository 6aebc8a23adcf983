"""Standard output whose errors can be told from those of a file."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["StandardOutputError", "standard_output"]


class StandardOutputError(OSError):
    """Standard output cannot be written: its disk is full, or fails."""


class _StandardOutput(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads has enough, which ends a command quietly
                raise
            raise StandardOutputError(error.errno, error.strerror) from error


@contextmanager
def standard_output() -> Iterator[None]:
    """Write to standard output until the end, and see that all of it was written. Raises ``StandardOutputError``.

    A character that a terminal lacks is replaced: it must not cut a reply.
    """
    given = sys.stdout
    if not isinstance(given, io.TextIOWrapper):
        yield
        return
    written = io.BufferedWriter(_StandardOutput(given.fileno(), "wb", closefd=False))
    out = sys.stdout = io.TextIOWrapper(
        written,
        given.encoding,
        errors="replace",
        line_buffering=given.line_buffering,
        write_through=given.write_through,
    )
    try:
        yield
    finally:
        try:
            out.flush()  # what sys.stdout is by now may hide that nobody reads
        except OSError as error:
            _discard(given.fileno())
            if error.errno == errno.EPIPE:
                sys.exit(1)  # as click ends a command that finds it while it writes
            raise


def _discard(fd: int) -> None:
    """Lose what is left, which Python would try to write once more at its end, and complain of in its own words."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)
