"""Find conversations in files, folders and streams."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from idolchat_cli.conversations.importing.archives import (
    UNPACKING_ERRORS,
    find_in_tar,
    find_in_zip,
    is_archive,
    is_beside,
    is_json,
    no_json,
)
from idolchat_cli.conversations.importing.candidate import Finding, Findings, Skipped
from idolchat_cli.conversations.importing.formats import UNKNOWN
from idolchat_cli.conversations.importing.texts import find_in_text
from idolchat_cli.files import STANDARD, open_input, rereadable

__all__ = ["find_in", "find_in_stream"]


def find_in(path: Path) -> Iterator[Finding]:
    """Find what is in a file, an archive, or a folder with all below it; memory holds a conversation at a time.

    ``-`` is standard input.
    """
    if path != STANDARD and path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                yield from _in_folder(file)
    else:
        yield from _in_file(path)


def find_in_stream(stream: IO[bytes], source: str, name: str = "") -> Iterator[Finding]:
    """Find what is in a stream that may be read once, such as standard input."""
    with rereadable(stream) as held:
        yield from _in_stream(held, source, name)


def _in_folder(file: Path) -> Findings:
    if not (is_json(file.name) or is_archive(file.name)):
        yield no_json(str(file))
        return
    for finding in _in_file(file):
        if isinstance(finding, Skipped) and finding.reason == UNKNOWN and is_beside(file.name):
            yield finding._replace(is_lost=False)
        else:
            yield finding


def _in_file(path: Path) -> Findings:
    try:
        with open_input(path) as stream:
            yield from find_in_stream(stream, str(path), "" if path == STANDARD else path.stem)
    except OSError as error:
        yield Skipped(str(path), "file that cannot be read", detail=str(error))


def _in_stream(stream: IO[bytes], source: str, name: str) -> Findings:
    try:
        if zipfile.is_zipfile(stream):
            yield from find_in_zip(stream, source)
        elif _is_tar(stream):
            yield from find_in_tar(stream, source)
        else:
            yield from find_in_text(stream, source, name)
    except UNPACKING_ERRORS as error:
        yield Skipped(source, "archive that cannot be read", detail=str(error))


def _is_tar(stream: IO[bytes]) -> bool:
    stream.seek(0)
    is_tar = tarfile.is_tarfile(stream)
    stream.seek(0)
    return is_tar
