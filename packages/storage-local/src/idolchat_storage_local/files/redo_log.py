"""A change written behind the document before it is made in place, so that a crash leaves the old or the new.

Appending to a document whose closing holds only ``updated_at`` needs none of this: a torn closing can be written
again from the messages. One that holds other fields (``head``, a title) could not.

What is written: zeros up to behind the new document, the new bytes, and a footer that tells their place, their size
and their checksum. It is cut off again when the change is in place.
"""

from __future__ import annotations

import struct
import zlib

from idolchat_storage_local.files.disk import Disk

__all__ = ["block", "find"]

_MAGIC = b"\x1eredo\x1e"  # a control character never stands in JSON text
_FOOTER = struct.Struct(f">{len(_MAGIC)}sQQI")


def block(new: bytes, *, at: int, size: int) -> bytes:
    """Make what is to be written at the end, ``size``, of a document that is to hold ``new`` from ``at`` on."""
    padding = bytes(max(at + len(new) - size, 0))
    return padding + new + _FOOTER.pack(_MAGIC, at, len(new), _checksum(new, at))


def find(disk: Disk, fd: int, size: int) -> tuple[int, bytes] | None:
    """Find a whole change at the end of a file: its place and its bytes."""
    footer = disk.read(fd, _FOOTER.size, size - _FOOTER.size) if size >= _FOOTER.size else b""
    if not footer.startswith(_MAGIC):
        return None
    _, at, length, checksum = _FOOTER.unpack(footer)
    start = size - _FOOTER.size - length
    if start < at + length:
        return None
    new = disk.read(fd, length, start)
    return (at, new) if _checksum(new, at) == checksum else None


def _checksum(new: bytes, at: int) -> int:
    # Of the place and size too: where the disk has left zeros for them, a checksum of nothing would be right.
    return zlib.crc32(new, zlib.crc32(struct.pack(">QQ", at, len(new))))
