"""Names of characters in addresses."""

from __future__ import annotations

import unicodedata
from uuid import UUID

__all__ = ["MAX_SLUG_LENGTH", "check_slug", "slug_of"]

MAX_SLUG_LENGTH = 64


def slug_of(name: str) -> str:
    """Make a slug of a character's name: ``Mika, the Idol`` gives ``mika-the-idol``.

    Letters and digits of every script are kept, lower-cased; all else becomes hyphens. A name without any gives
    ``character``.
    """
    plain = unicodedata.normalize("NFKC", name[:1024]).lower()
    words = "".join(char if char.isalnum() else " " for char in plain).split()
    slug = "-".join(words)[:MAX_SLUG_LENGTH].strip("-")
    return f"character-{slug[:8]}" if _is_uuid(slug) else slug or "character"


def check_slug(slug: str) -> str:
    """Return the slug.

    Raises ``ValueError`` where it is no slug: 1 to 64 lower-case letters and digits, with single hyphens between them,
    that are not a UUID, as an address holds either.
    """
    if slug != slug_of(slug):
        raise ValueError(f"{slug!r} is no slug: write lower-case letters, digits and hyphens, as in {slug_of(slug)!r}")
    return slug


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
