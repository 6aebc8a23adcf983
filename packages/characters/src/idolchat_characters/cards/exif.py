"""Texts in Exif metadata (TIFF 6.0, section 2; Exif 3.0, 4.6.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

__all__ = ["comments_of"]

EXIF_POINTER = 0x8769
TEXT_TAGS: Final = (0x9286, 0x010E)
"""UserComment and ImageDescription."""

CHARACTER_CODE_BYTES = 8
ASCII, UNDEFINED, LONG = 2, 7, 4
ENTRY_BYTES = 12
MAX_DIRECTORIES = 4
MAX_COMMENTS = 4


class _Entry(NamedTuple):
    tag: int
    kind: int
    length: int
    value_at: int


def comments_of(data: bytes) -> Iterator[bytes]:
    """The user comments and descriptions, as UTF-8 text, at most four; nothing where the data is no Exif."""
    yield from islice(_comments(data), MAX_COMMENTS)


def _comments(data: bytes) -> Iterator[bytes]:
    tiff = data.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return
    waiting, seen = [struct.unpack_from(f"{order}I", tiff, 4)[0]], 0
    while waiting and seen < MAX_DIRECTORIES:
        seen += 1
        for entry in _entries(tiff, waiting.pop(), order):
            if entry.tag == EXIF_POINTER and entry.kind == LONG:
                waiting += struct.unpack_from(f"{order}I", tiff, entry.value_at)
            elif entry.tag in TEXT_TAGS and entry.kind in (ASCII, UNDEFINED):
                yield _text(_value(tiff, entry, order), order)


def _entries(tiff: bytes, at: int, order: str) -> Iterator[_Entry]:
    if at + 2 > len(tiff):
        return
    count = struct.unpack_from(f"{order}H", tiff, at)[0]
    for start in range(at + 2, min(at + 2 + count * ENTRY_BYTES, len(tiff) - ENTRY_BYTES + 1), ENTRY_BYTES):
        tag, kind, length = struct.unpack_from(f"{order}HHI", tiff, start)
        yield _Entry(tag, kind, length, start + 8)


def _value(tiff: bytes, entry: _Entry, order: str) -> bytes:
    at = entry.value_at if entry.length <= 4 else struct.unpack_from(f"{order}I", tiff, entry.value_at)[0]
    return tiff[at : at + entry.length]


def _text(value: bytes, order: str) -> bytes:
    code, rest = value[:CHARACTER_CODE_BYTES], value[CHARACTER_CODE_BYTES:]
    if code == b"UNICODE\0":
        return rest.decode("utf-16-le" if order == "<" else "utf-16-be", errors="replace").encode()
    return (rest if code in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)) else value).rstrip(b"\0")
