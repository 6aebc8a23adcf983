"""Read JSON that is too large to hold at once, and that may be damaged."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from enum import Enum, auto
from typing import IO, Any, NamedTuple

__all__ = ["MAX_CHARS", "Damaged", "Shape", "Unreadable", "elements", "json_lines", "shape_of", "whole"]

MAX_CHARS = 128 << 20
"""Characters of one conversation in a file: what is longer is not held, and not read."""

_PIECE = 1 << 16
_BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder()
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_BEGIN_OF_LIST = re.compile(r"\s*\[\s*(?:$|[\[{\]])")
_LINES_LOOKED_AT = 8
_DEEPEST = 60_000
"""Calls within each other: LibreChat's exports nest each message in the one before."""


class Unreadable(Exception):
    """The text is no JSON, from some place on."""


class Damaged(NamedTuple):
    """A line that is no JSON, and why."""

    text: str
    reason: str


class Shape(Enum):
    """How values stand in a text: in an array, as one object, or one a line."""

    LIST = auto()
    OBJECT = auto()
    LINES = auto()
    OTHER = auto()


def shape_of(text: IO[str]) -> Shape:
    """Return how values stand in a text, and go back to its beginning.

    The first lines decide: where the first is damaged, a message of SillyTavern on one of the next tells that each
    line is a value of its own.
    """
    is_list = _BEGIN_OF_LIST.match(text.read(_PIECE))
    text.seek(0)
    if is_list:
        return Shape.LIST
    try:
        return _shape_of([line for _, line in zip(range(_LINES_LOOKED_AT), _lines(text), strict=False)])
    finally:
        text.seek(0)


def elements(text: IO[str]) -> Iterator[tuple[int, Any]]:
    """Return the elements of an array, numbered from 1, one in memory at a time. Raises ``Unreadable``."""
    buffer = text.read(_PIECE).lstrip(_BLANKS).removeprefix("[")
    wanted = _PIECE
    number = 0
    while True:
        buffer = buffer.lstrip(_BLANKS)
        if buffer.startswith("]"):
            return
        try:
            value, end = _DECODER.raw_decode(buffer)
            is_whole = end < len(buffer)  # a number may go on
        except json.JSONDecodeError as error:
            value, end, is_whole = error, 0, False
        if is_whole:
            number, wanted = number + 1, _PIECE
            yield number, _well_formed(value) if _SURROGATE.search(buffer, 0, end) else value
            buffer = buffer[end:].lstrip(_BLANKS).removeprefix(",")
            continue
        more = text.read(wanted)
        if not more:
            raise Unreadable(f"after {number} elements of the list: {value if not end else 'it does not end'}")
        buffer += more
        _require_short(buffer, f"after {number} elements of the list")
        wanted = len(buffer)  # twice as much every time, so that a long element is not read again and again


def whole(text: IO[str]) -> Any:
    """Return the one value of a text. Raises ``Unreadable``."""
    read = text.read(MAX_CHARS + 1)
    _require_short(read, "it")
    value = _value(read)
    if isinstance(value, Damaged):
        raise Unreadable(value.reason)
    return value


def json_lines(text: IO[str]) -> Iterator[tuple[int, Any]]:
    """Return the value of each line that is not blank, by its number from 1; ``Damaged`` for one that has none.

    What follows a line that is too long to be held is not read.
    """
    number = 0
    try:
        for number, line in enumerate(_lines(text, skips_blank=False), 1):
            if line.strip(_BLANKS):
                yield number, _value_of_line(line)
    except Unreadable as error:
        yield number + 1, Damaged("", str(error))


def _shape_of(lines: list[str]) -> Shape:
    if not lines:
        return Shape.OTHER
    first = lines[0].lstrip(_BLANKS)[:1]
    is_damaged = isinstance(_value_of_line(lines[0]), Damaged)
    if first == "{" and not is_damaged:
        return Shape.LINES if len(lines) > 1 else Shape.OBJECT
    others = map(_value_of_line, lines[1:])
    if any(isinstance(value, dict) and "mes" in value for value in others):
        return Shape.LINES
    return {"[": Shape.LIST, "{": Shape.OBJECT}.get(first, Shape.OTHER)


def _lines(text: IO[str], *, skips_blank: bool = True) -> Iterator[str]:
    while line := text.readline(MAX_CHARS + 1):
        _require_short(line, "a line")
        if line.strip(_BLANKS) or not skips_blank:
            yield line


def _require_short(text: str, what: str) -> None:
    if len(text) > MAX_CHARS:
        raise Unreadable(f"{what} is longer than {MAX_CHARS >> 20} MiB: no conversation is, and it is not held")


def _value(text: str) -> Any:
    try:
        return _parsed(text, _DECODER)
    except RecursionError:
        return _deep_value(text)
    except ValueError as error:
        return Damaged(text, str(error))


def _value_of_line(line: str) -> Any:
    return _value(line.rstrip(_BLANKS + ","))


def _deep_value(text: str) -> Any:
    """Parse in Python, as deep as the calls may go; the parser in C stops at some hundred levels."""
    decoder = json.JSONDecoder()
    decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEPEST)
    try:
        return _parsed(text, decoder)
    except (RecursionError, ValueError) as error:
        return Damaged(text, str(error))
    finally:
        sys.setrecursionlimit(allowed)


def _parsed(text: str, decoder: json.JSONDecoder) -> Any:
    value = decoder.decode(text)
    return _well_formed(value) if _SURROGATE.search(text) else value


def _well_formed(value: Any) -> Any:
    """Put U+FFFD for half a surrogate pair, which JavaScript's ``slice`` makes, and for bytes that are no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    return value
