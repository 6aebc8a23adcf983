"""A card's text as image files hold it: base64 of JSON, or plain JSON, packed or not, always within bounds."""

from __future__ import annotations

import base64
import binascii
import codecs
import zlib
from typing import Final

from idolchat_characters.errors import CardRefused

__all__ = ["from_base64", "inflate", "is_plain_json"]

BLANKS: Final = b" \t\n\r\v\f\0"
URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


def is_plain_json(text: bytes) -> bool:
    """Whether a text is JSON as it is, and not base64."""
    return text[:64].removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def from_base64(text: bytes, place: str) -> bytes:
    """Decode base64 (RFC 4648) of either alphabet, with or without padding; blanks are left out.

    Raises ``CardRefused``.
    """
    plain = text.translate(URL_SAFE, BLANKS).rstrip(b"=")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise CardRefused("is no base64: the file was changed on its way; get the original", place=place) from error


def inflate(packed: bytes, place: str, *, max_bytes: int) -> bytes:
    """Unpack zlib data (RFC 1950). Raises ``CardRefused`` when it is none, is cut, or exceeds ``max_bytes``."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, max_bytes + 1)
    except zlib.error as error:
        raise CardRefused("cannot be unpacked: the file is damaged; get the original", place=place) from error
    if len(content) > max_bytes:
        raise CardRefused(f"unpacks to more than {max_bytes:,} bytes", place=place)
    if not stream.eof:
        raise CardRefused("ends too early: the file is damaged; get the original", place=place)
    return content
