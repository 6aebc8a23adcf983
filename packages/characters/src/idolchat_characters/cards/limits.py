"""How much a card may hold."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "CardLimits"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLimits:
    """Bounds of a card, which bound the memory and time that a hostile one takes.

    ``json_values`` bounds the commas and opening brackets in the text, of which no value of JSON has less than one.
    ``archive_ratio`` is how many times its packed size an entry of more than 1 MiB may be; deflate reaches 1032.
    """

    file_bytes: int = 64 * MIB
    json_bytes: int = 16 * MIB
    json_values: int = 500_000
    json_depth: int = 64
    png_chunks: int = 100_000
    archive_entries: int = 10_000
    archive_bytes: int = 128 * MIB
    archive_ratio: int = 200

    @property
    def text_bytes(self) -> int:
        """How long a text in an image may be: base64 adds a third, and some write it in lines."""
        return self.json_bytes * 3 // 2


DEFAULT_LIMITS = CardLimits()
