"""The parts of a file that holds a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["CardFormat", "CardText", "Container"]

type CardFormat = Literal["json", "png", "charx", "webp"]
"""How a file holds its card; an APNG is a ``png``."""


@dataclass(frozen=True, slots=True)
class CardText:
    """The JSON text of a card, and where it stood."""

    place: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """``texts`` are the cards found, the one that counts first, of which the others are older versions.

    ``files`` are the embedded files by path; ``image`` is the file itself without the card, where it is an image.
    """

    format: CardFormat
    texts: tuple[CardText, ...]
    files: Mapping[str, bytes]
    image: bytes | None = None
