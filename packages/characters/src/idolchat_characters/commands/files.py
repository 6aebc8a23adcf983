"""The files that a command is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idolchat_characters.errors import CardRefused
from idolchat_cli.usage import WrongUsage

__all__ = ["card_files", "file_content"]

SUFFIXES = frozenset({".apng", ".charx", ".jpeg", ".jpg", ".json", ".png", ".webp"})


def card_files(paths: Sequence[Path]) -> list[Path]:
    """List files, and of folders those whose name can be a card's, in order.

    Raises ``WrongUsage`` for one that is missing.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise WrongUsage(f"there is no {path}")
        held = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        found.extend(held)
    return found


def file_content(file: Path, most: int) -> bytes:
    """Read a file of at most so many bytes. Raises ``CardRefused``."""
    try:
        size_bytes = file.stat().st_size
        if size_bytes > most:
            message = f"has {size_bytes:,} bytes; at most {most:,} are read (IDOLCHAT_CHARACTERS_MAX_IMPORT_BYTES)"
            raise CardRefused(message, place="file")
        return file.read_bytes()
    except OSError as error:
        raise CardRefused(f"cannot be read: {error.strerror}", place="file") from error
