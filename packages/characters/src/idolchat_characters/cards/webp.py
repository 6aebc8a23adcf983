"""Cards in WebP files: in the Exif user comment, or in XMP (RFC 9649; Exif 3.0, 4.6; XMP part 1)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import unescape

from idolchat_characters.cards.container import CardText, Container
from idolchat_characters.cards.encoded_text import from_base64, is_plain_json
from idolchat_characters.cards.exif import comments_of
from idolchat_characters.cards.limits import CardLimits
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Findings

__all__ = ["read_webp"]

HEADER_BYTES = 12
METADATA = (b"EXIF", b"XMP ")
MAX_WRAPPING_TAGS = 4
MAX_BLANKS = 1024
MAX_BYTE_LIST = 1024 * 1024
XMP_NAMES = ("ccv3", "chara", "UserComment", "description")
MAX_CHUNKS = 100_000
BYTE_LIST_LETTERS = b"0123456789, \t\r\n"
QUOTES: Final = {"&quot;": '"', "&apos;": "'", "&#34;": '"', "&#39;": "'"}


def read_webp(content: bytes, *, limits: CardLimits, findings: Findings) -> Container:
    """Find the card of a WebP. Raises ``CardRefused`` where there is none."""
    kept: list[bytes | memoryview] = []
    texts: list[CardText] = []
    for kind, data, whole in _chunks(memoryview(content)):
        if kind not in METADATA:
            kept.append(_without_flags(whole) if kind == b"VP8X" else whole)
        elif len(data) > limits.text_bytes:
            message = f"holds {len(data):,} bytes; at most {limits.text_bytes:,} are read"
            raise CardRefused(message, place=f"chunk {kind.decode().strip()}")
        else:
            found = comments_of(bytes(data)) if kind == b"EXIF" else _xmp_values(bytes(data))
            texts += [text for one in found if (text := _card_text(one, f"chunk {kind.decode().strip()}"))]
    if not texts:
        message = "is a WebP without a card in its Exif or XMP metadata: get the original, or a PNG"
        raise CardRefused(message, place="file")
    findings.warn("file", "is a WebP, which few applications read a card from; export it as PNG")
    header = struct.pack("<4sI4s", b"RIFF", 4 + sum(map(len, kept)), b"WEBP")
    return Container(format="webp", texts=tuple(texts[:1]), files={}, image=b"".join([header, *kept]))


def _chunks(content: memoryview) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Type, data, and the whole chunk with its padding."""
    at = HEADER_BYTES
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(content):
            return
        kind, length = struct.unpack_from("<4sI", content, at)
        end = at + 8 + length
        yield kind, content[at + 8 : end], content[at : end + length % 2]
        at = end + length % 2
    raise CardRefused(f"has more than {MAX_CHUNKS:,} chunks: save the image anew", place="file")


def _without_flags(header: memoryview) -> bytes:
    """Return a VP8X chunk without the flags that say that there is metadata (RFC 9649, 2.7)."""
    return bytes(header[:8]) + bytes(flags & ~0b1100 for flags in header[8:9]) + bytes(header[9:])


def _card_text(text: bytes, place: str) -> CardText | None:
    """Read JSON, base64 of it, or its bytes as decimal numbers with commas, which SillyTavern has read too."""
    if is_plain_json(text):
        return CardText(place, text)
    if text.translate(None, BYTE_LIST_LETTERS):
        text = _from_base64(text, place)
    elif len(text) <= MAX_BYTE_LIST:
        text = _from_byte_list(text)
    return CardText(place, text) if is_plain_json(text) else None


def _from_base64(text: bytes, place: str) -> bytes:
    try:
        return from_base64(text, place)
    except CardRefused:  # any other comment than a card
        return b""


def _from_byte_list(text: bytes) -> bytes:
    try:
        return bytes(map(int, text.split(b",")))
    except ValueError:  # numbers of something else
        return b""


def _xmp_values(data: bytes) -> Iterator[bytes]:
    """The values of the fields that hold cards, as elements or attributes; the first of each name."""
    text = data.decode(errors="replace")
    for name in filter(text.__contains__, XMP_NAMES):
        if match := re.search(rf"[:<\s]{name}\s*=\s*\"", text):
            value = text[match.end() : text.find('"', match.end())]
        elif (match := re.search(rf"<(\w+:)?{name}\b[^<>]*>", text)) is not None:
            start = _text_start(text, match.end())
            value = text[start : text.find("<", start)]
        else:
            continue
        yield unescape(value.strip(), QUOTES).encode(errors="replace")


def _text_start(text: str, at: int) -> int:
    """Where the text of an element begins, behind the tags of the list that XMP puts it in."""
    for _ in range(MAX_WRAPPING_TAGS):
        at += len(text[at : at + MAX_BLANKS]) - len(text[at : at + MAX_BLANKS].lstrip())
        if text[at : at + 1] != "<" or (end := text.find(">", at)) < 0:
            break
        at = end + 1
    return at
