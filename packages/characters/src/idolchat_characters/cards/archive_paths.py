"""Paths of files in a card."""

from __future__ import annotations

import re
from typing import Final

from idolchat_characters.errors import CardRefused

__all__ = ["CARD_PATH", "EMBEDDED", "embedded_path", "safe_path"]

CARD_PATH = "card.json"
EMBEDDED = "embeded://"
"""The scheme of what is in the file; the spelling is the specification's."""

SCHEMES = (EMBEDDED, "embedded://", "__asset:")
MAX_PATH_LENGTH = 255
MAX_SCHEME_LENGTH = max(map(len, SCHEMES))
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
DRIVE: Final = re.compile(r"^[A-Za-z]:")


def safe_path(name: str) -> str:
    """Normalise a path: ``/`` between its parts, and no empty parts.

    Raises ``CardRefused`` where it leads elsewhere: absolute, by ``..``, by a drive, or with control characters.
    """
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    shown = repr(name[:100])
    if path.startswith("/") or DRIVE.match(path) or ".." in parts:
        raise CardRefused("leads out of the archive: remove it from there", place=f"entry {shown}")
    if not parts or CONTROL.search(path) or len(path) > MAX_PATH_LENGTH:
        message = f"is no path: 1 to {MAX_PATH_LENGTH} characters, without control characters, are wanted"
        raise CardRefused(message, place=f"entry {shown}")
    return "/".join(parts)


def embedded_path(uri: str) -> str | None:
    """The path that an asset's URI names in the file, normalised; None for any other URI.

    Raises ``CardRefused`` as ``safe_path`` does.
    """
    beginning = uri[:MAX_SCHEME_LENGTH].lower()
    scheme = next((scheme for scheme in SCHEMES if beginning.startswith(scheme)), None)
    return None if scheme is None else safe_path(uri[len(scheme) :].strip())
