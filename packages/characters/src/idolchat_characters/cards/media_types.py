"""Media types of images, by their first bytes."""

from __future__ import annotations

from typing import Final

__all__ = ["EXTENSIONS", "RASTER_TYPES", "media_type_of"]

EXTENSIONS: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
}
"""The extension that a file of each raster type has."""

RASTER_TYPES = frozenset(EXTENSIONS)
"""The types that a browser may show at our address: they hold no scripts, as SVG does."""

AVIF_BRANDS = (b"avif", b"avis")


def media_type_of(content: bytes) -> str | None:
    """Name the raster type of a file, or None where it is of no such type; whatever its name says.

    Sources: PNG 3rd edition 5.2; JFIF and Exif begin with FF D8 FF; RFC 9649 2.3 (WebP); GIF89a 17; AVIF 6.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/avif" if _is_avif(content) else None


def _is_avif(content: bytes) -> bool:
    """Whether the file type box (ISO/IEC 14496-12, 4.3) has a brand of AVIF, as its own or a compatible one."""
    if content[4:8] != b"ftyp":
        return False
    box = content[8 : min(int.from_bytes(content[:4]), 256)]
    return any(box[at : at + 4] in AVIF_BRANDS for at in range(0, len(box), 4) if at != 4)
