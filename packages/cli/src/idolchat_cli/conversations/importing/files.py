"""Find conversations in files, folders and archives."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path, PurePath
from typing import IO, Any

from idolchat_cli.conversations.importing.candidate import Finding, NotTaken
from idolchat_cli.conversations.importing.chatgpt import is_chatgpt, read_chatgpt
from idolchat_cli.conversations.importing.native import is_native, read_native
from idolchat_cli.conversations.importing.sillytavern import is_sillytavern, read_sillytavern
from idolchat_cli.conversations.importing.streamed import Unreadable, elements, first_character, json_lines

__all__ = ["find_in", "find_in_stream"]

_OURS = "idolchat-export.json"
_KNOWN = (".json", ".jsonl", ".ndjson")


def find_in(path: Path) -> Iterator[Finding]:
    """Find what is in a file, an archive, or a folder with all below it; memory holds a conversation at a time."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                yield from _in_file(file) if _is_known(file.name) else _unknown(str(file))
    else:
        yield from _in_file(path)


def find_in_stream(stream: IO[bytes], source: str) -> Iterator[Finding]:
    """Find what is in a stream that may be read once, such as standard input."""
    yield from _in_text(BytesIO(stream.read()), source)


def _in_file(path: Path) -> Iterator[Finding]:
    try:
        if zipfile.is_zipfile(path):
            yield from _in_zip(path)
        elif tarfile.is_tarfile(path):
            yield from _in_tar(path)
        else:
            with path.open("rb") as stream:
                yield from _in_text(stream, str(path))
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        yield NotTaken(str(path), f"it cannot be read: {error}")


def _in_zip(path: Path) -> Iterator[Finding]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield from _in_member(member.filename, path, partial(archive.open, member))


def _in_tar(path: Path) -> Iterator[Finding]:
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                # What is compressed as one can be read once, and forwards.
                yield from _in_member(member.name, path, partial(BytesIO, content.read()))


def _in_member(name: str, path: Path, opened: Callable[[], IO[bytes]]) -> Iterator[Finding]:
    source = f"{path}, {name}"
    if PurePath(name).name == _OURS:
        return
    if not _is_known(name):
        yield from _unknown(source)
        return
    with opened() as stream:
        yield from _in_text(stream, source)


def _is_known(name: str) -> bool:
    return name.lower().endswith(_KNOWN)


def _unknown(source: str) -> Iterator[Finding]:
    yield NotTaken(source, "left out: its name does not end with .json or .jsonl")


def _in_text(stream: IO[bytes], source: str) -> Iterator[Finding]:
    with TextIOWrapper(stream, encoding="utf-8-sig") as text:
        try:
            yield from _in_json(text, source, PurePath(source.rpartition(", ")[2]).stem)
        except (Unreadable, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            yield NotTaken(source, f"it is not valid: {error}")


def _in_json(text: TextIOWrapper, source: str, name: str) -> Iterator[Finding]:
    first = first_character(text)
    if first == "[":
        for number, value in elements(text):
            yield from _in_object(value, f"{source}, conversation {number}", name="")
    elif first == "{" and _is_one_object(text):
        text.seek(0)
        yield from _in_object(json.load(text), source, name=name)
    elif first == "{":
        text.seek(0)
        yield from _in_lines(json_lines(text), source, name)
    else:
        yield NotTaken(source, "it is no JSON")


def _is_one_object(text: TextIOWrapper) -> bool:
    """Tell a file with one object from one with an object a line."""
    text.seek(0)
    line = text.readline()
    while line and not line.strip():
        line = text.readline()
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return True
    return not any(rest.strip() for rest in text)


def _in_lines(lines: Iterator[tuple[int, Any]], source: str, name: str) -> Iterator[Finding]:
    number, first = next(lines)
    if isinstance(first, Exception):
        yield NotTaken(f"{source}, line {number}", f"it is not valid: {first}")
    elif is_sillytavern(first):
        yield from read_sillytavern(_again(number, first, lines), source, name=name)
        return
    else:
        yield from _in_object(first, f"{source}, line {number}", name="")
    for number, value in lines:
        place = f"{source}, line {number}"
        if isinstance(value, Exception):
            yield NotTaken(place, f"it is not valid: {value}")
        else:
            yield from _in_object(value, place, name="")


def _again(number: int, first: Any, lines: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    yield number, first
    yield from lines


def _in_object(value: Any, source: str, *, name: str) -> Iterator[Finding]:
    if isinstance(value, dict) and is_native(value):
        yield read_native(value, source, name=name)
    elif isinstance(value, dict) and is_chatgpt(value):
        yield from read_chatgpt(value, source)
    elif isinstance(value, dict) and is_sillytavern(value):
        yield from read_sillytavern([(1, value)], source, name=name)
    else:
        yield NotTaken(source, "it is no conversation in a form that is known")
