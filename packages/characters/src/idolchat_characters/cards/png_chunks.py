"""PNG files as the chunks that they consist of (PNG 3rd edition, section 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from idolchat_characters.cards.limits import CardLimits
from idolchat_characters.errors import CardRefused

__all__ = ["SIGNATURE", "TEXT_TYPES", "Chunk", "chunk", "plain_image", "read_chunks"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXT_TYPES = (b"tEXt", b"zTXt", b"iTXt")
MAX_KEYWORD_BYTES = 80
OVERHEAD_BYTES = 12


class Chunk(NamedTuple):
    """One chunk; ``start`` and ``end`` are positions in the file, its length, type and checksum included."""

    type: bytes
    data: memoryview
    start: int
    end: int
    checksum: int

    @property
    def is_intact(self) -> bool:
        """Whether the checksum is right."""
        return zlib.crc32(self.data, zlib.crc32(self.type)) == self.checksum

    @property
    def keyword(self) -> str:
        """The keyword of a text chunk, as it is written; empty for other chunks."""
        if self.type not in TEXT_TYPES:
            return ""
        head, end, _ = bytes(self.data[:MAX_KEYWORD_BYTES]).partition(b"\0")
        return head.decode("latin-1") if end else ""

    @property
    def text(self) -> bytes:
        """What follows the keyword of a text chunk."""
        return bytes(self.data[len(self.keyword) + 1 :])


def read_chunks(content: bytes, limits: CardLimits) -> Iterator[Chunk]:
    """Read the chunks up to IEND, or up to one that is cut.

    Raises ``CardRefused`` when there are more than the limit.
    """
    view, at = memoryview(content), len(SIGNATURE)
    for _ in range(limits.png_chunks):
        if at + OVERHEAD_BYTES > len(content):
            return
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + OVERHEAD_BYTES + length
        if end > len(content):
            return
        yield Chunk(kind, view[at + 8 : end - 4], at, end, struct.unpack_from(">I", content, end - 4)[0])
        at = end
        if kind == b"IEND":
            return
    raise CardRefused(f"has more than {limits.png_chunks:,} chunks: save the image anew", place="file")


def chunk(kind: bytes, data: bytes) -> bytes:
    """Write a chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def plain_image(width: int = 400, height: int = 600) -> bytes:
    """Make a grey image, for a card that has none of its own; 2:3, as front ends show characters."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * width) * height
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
