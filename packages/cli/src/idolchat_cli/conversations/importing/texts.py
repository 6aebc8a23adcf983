"""Find conversations in a text: in an array, in an object, or in one a line."""

from __future__ import annotations

from collections.abc import Iterator
from io import TextIOWrapper
from typing import IO, Any

from idolchat_cli.conversations.importing.candidate import Findings, Skipped
from idolchat_cli.conversations.importing.formats import read_object
from idolchat_cli.conversations.importing.sillytavern import is_sillytavern_line, read_sillytavern
from idolchat_cli.conversations.importing.streamed import (
    Damaged,
    Shape,
    Unreadable,
    elements,
    json_lines,
    shape_of,
    whole,
)

__all__ = ["find_in_text"]

_FIRST_LINES = 8
"""Lines, blank or damaged, after which there is no chat of SillyTavern."""


def find_in_text(stream: IO[bytes], source: str, name: str) -> Findings:
    """Find what is in a text, which ends up closed by its owner; ``name`` is that of its file without its ending."""
    start = stream.read(2)
    stream.seek(0)
    encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    # Bytes that are no UTF-8 come as half surrogate pairs, and are mended as these are.
    text = TextIOWrapper(stream, encoding=encoding, errors="surrogateescape")
    try:
        yield from _in_json(text, source, name)
    except (Unreadable, UnicodeDecodeError, RecursionError) as error:
        yield Skipped(source, "it is not valid", detail=str(error))
    finally:
        text.detach()


def _in_json(text: TextIOWrapper, source: str, name: str) -> Findings:
    shape = shape_of(text)
    if shape is Shape.LIST:
        yield from _in_list(elements(text), source, name)
    elif shape is Shape.OBJECT:
        yield from read_object(whole(text), source, name)
    elif shape is Shape.LINES:
        yield from _in_lines(json_lines(text), source, name)
    else:
        yield Skipped(source, "it is no JSON")


def _in_list(values: Iterator[tuple[int, Any]], source: str, name: str) -> Findings:
    first = next(values, None)
    if first is None:
        return
    values = _chained([first], values)
    if is_sillytavern_line(first[1]):  # its lines, which somebody put into an array
        yield from read_sillytavern(_with_its_end(values), source, name)
        return
    for number, value in values:
        yield from read_object(value, f"{source}, conversation {number}", f"{name} {number}")


def _with_its_end(values: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        for number, value in values:
            yield number, value
    except Unreadable as error:
        yield number + 1, Damaged("", str(error))


def _in_lines(lines: Iterator[tuple[int, Any]], source: str, name: str) -> Findings:
    first: list[tuple[int, Any]] = []
    for number, value in lines:
        first.append((number, value))
        if len(first) == _FIRST_LINES or (value and not isinstance(value, Damaged)):
            break
    if any(is_sillytavern_line(value) for _, value in first):
        yield from read_sillytavern(_chained(first, lines), source, name)
        return
    for number, value in _chained(first, lines):
        place = f"{source}, line {number}"
        if isinstance(value, Damaged):
            yield Skipped(place, "line that is not valid", detail=value.reason)
        else:
            yield from read_object(value, place, f"{name} {number}")


def _chained(first: list[tuple[int, Any]], rest: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    yield from first
    yield from rest
