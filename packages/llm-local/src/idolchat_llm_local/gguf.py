"""The few words at the head of a GGUF file that are needed before it is loaded.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (read 2026-11-20).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["GGUFHeader", "NotGGUF", "read_header"]

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)
_LONGEST_VALUE_BYTES = 1 << 24
_DAMAGED = "its header is damaged or cut off"

type _Value = int | float | str | None


class NotGGUF(Exception):
    """The file does not begin as a GGUF file does; the text says what it has instead."""


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What a model says of itself; ``context_length`` in tokens, None if it does not tell."""

    architecture: str
    context_length: int | None


def read_header(path: Path) -> GGUFHeader:
    """Read as much of a file as it takes. Raises ``NotGGUF`` and ``OSError``."""
    with path.open("rb") as file:
        _check_magic(file.read(64))
        file.seek(4)
        version, _tensor_count, value_count = struct.unpack("<IQQ", _take(file, 20))
        if version not in _VERSIONS:
            raise NotGGUF(f"it is GGUF of version {version}, and versions 2 and 3 can be read")
        return _read_values(file, value_count)


def _check_magic(start: bytes) -> None:
    if not start:
        raise NotGGUF("it is empty")
    if start.startswith(b"version https://git-lfs"):
        raise NotGGUF("it is a Git LFS pointer; fetch the file itself with `git lfs pull`")
    if not start.startswith(b"GGUF"):
        raise NotGGUF(f"it begins with {start[:4]!r}, not with b'GGUF'")


def _read_values(file: BinaryIO, count: int) -> GGUFHeader:
    values: dict[str, _Value] = {}
    for _ in range(count):
        key = _string(file)
        values[key] = _value(file, _number(file, "I"))
        # What follows the length, the vocabulary above all, is long and of no use here.
        if f"{values.get('general.architecture')}.context_length" in values:
            break
    architecture = str(values.get("general.architecture", "unknown"))
    length = values.get(f"{architecture}.context_length")
    return GGUFHeader(architecture, length if isinstance(length, int) else None)


def _value(file: BinaryIO, kind: int) -> _Value:
    if kind in _SCALARS:
        return _number(file, _SCALARS[kind])
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        _skip_array(file)
        return None
    raise NotGGUF(_DAMAGED)


def _skip_array(file: BinaryIO) -> None:
    kind, length = struct.unpack("<IQ", _take(file, 12))
    if kind == _STRING:
        for _ in range(length):
            _string(file)
    elif kind in _SCALARS:
        _take(file, struct.calcsize(f"<{_SCALARS[kind]}") * length)
    else:
        raise NotGGUF(_DAMAGED)


def _number(file: BinaryIO, form: str) -> int:
    value: int = struct.unpack(f"<{form}", _take(file, struct.calcsize(f"<{form}")))[0]
    return value


def _string(file: BinaryIO) -> str:
    return _take(file, _number(file, "Q")).decode(errors="replace")


def _take(file: BinaryIO, size_bytes: int) -> bytes:
    if size_bytes > _LONGEST_VALUE_BYTES:
        raise NotGGUF(_DAMAGED)
    data = file.read(size_bytes)
    if len(data) < size_bytes:
        raise NotGGUF(_DAMAGED)
    return data
