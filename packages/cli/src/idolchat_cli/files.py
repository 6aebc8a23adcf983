"""The files that a command reads and writes, where ``-`` is standard input or output."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from idolchat_cli.usage import WrongUsage

__all__ = ["HELD_BYTES", "STANDARD", "check_input", "check_output", "open_input", "open_output", "rereadable"]

STANDARD = Path("-")
"""Standard input where a file is read, and standard output where one is written."""

HELD_BYTES = 64 << 20
"""How much of a stream is held in memory; beyond that it is on the disk."""


def check_input(path: Path, *, takes_folders: bool) -> None:
    """Raise ``WrongUsage`` for a file that is missing, or is a folder."""
    if path == STANDARD:
        return
    if not path.exists():
        raise WrongUsage(f"there is no {path}")
    if not takes_folders and path.is_dir():
        raise WrongUsage(f"{path} is a folder: name a file")


def open_input(path: Path) -> AbstractContextManager[IO[bytes]]:
    """Open a file to be read. Raises ``OSError``."""
    return nullcontext(sys.stdin.buffer) if path == STANDARD else path.open("rb")


@contextmanager
def rereadable(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Give a stream that can go back to its start: a file as it is, of a pipe what came through it."""
    if stream.seekable():
        yield stream
        return
    with SpooledTemporaryFile(HELD_BYTES) as held:
        shutil.copyfileobj(stream, held)
        held.seek(0)
        yield held


def check_output(path: Path, *, is_text: bool, replaces: bool, as_json: bool) -> None:
    """Raise ``WrongUsage`` for a file that is there already, and where standard output cannot take what is written."""
    if path != STANDARD:
        if path.exists() and not replaces:
            raise WrongUsage(f"{path} is there already: choose another name, or replace it with --force")
    elif as_json:
        raise WrongUsage("--json tells what was written to a file: name one, as standard output holds either")
    elif not is_text and sys.stdout.isatty():
        raise WrongUsage("what is written is not for a terminal: name a file, or send it to a program")


@contextmanager
def open_output(path: Path) -> Iterator[IO[bytes]]:
    """Write a file for this user's eyes only, which takes its name at the end of a block that succeeds.

    Standard output is written at once. Raises ``WrongUsage`` where the file cannot be made.
    """
    if path == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        stream = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise WrongUsage(f"{path} cannot be written: {error.strerror or error}") from error
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
