"""Read JSON that is too large to hold at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

__all__ = ["Unreadable", "elements", "first_character", "json_lines"]

_PIECE = 1 << 16
_BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder()


class Unreadable(Exception):
    """The text is no JSON, from some place on."""


def first_character(text: IO[str]) -> str:
    """Give the first character that is not blank, and go back to the beginning."""
    while (character := text.read(1)) and character in _BLANKS:
        pass
    text.seek(0)
    return character


def elements(text: IO[str]) -> Iterator[tuple[int, Any]]:
    """Give the elements of an array, numbered from 1, one in memory at a time. Raises ``Unreadable``."""
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
            yield number, value
            buffer = buffer[end:].lstrip(_BLANKS).removeprefix(",")
            continue
        more = text.read(wanted)
        if not more:
            raise Unreadable(f"after {number} elements of the list: {value if not end else 'it does not end'}")
        buffer += more
        wanted = len(buffer)  # twice as much every time, so that a long element is not read again and again


def json_lines(text: IO[str]) -> Iterator[tuple[int, Any]]:
    """Give the value of each line that is not blank, by its number from 1; an exception for one that has none."""
    for number, line in enumerate(text, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                yield number, error
