"""The files that a command is given, where ``-`` is standard input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idolchat_characters.errors import CardRefused
from idolchat_cli.files import STANDARD, check_input, open_input
from idolchat_cli.usage import WrongUsage

__all__ = ["card_files", "file_content", "text_of"]

SUFFIXES = frozenset({".apng", ".charx", ".jpeg", ".jpg", ".json", ".png", ".webp"})


def card_files(paths: Sequence[Path]) -> list[Path]:
    """List files, and of folders those whose name can be a card's, in order.

    Raises ``WrongUsage`` for one that is missing.
    """
    found: list[Path] = []
    for path in paths:
        check_input(path, takes_folders=True)
        is_folder = path != STANDARD and path.is_dir()
        found.extend(sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES) if is_folder else [path])
    return found


def file_content(file: Path, most: int) -> bytes:
    """Read a file of at most so many bytes. Raises ``CardRefused``."""
    try:
        with open_input(file) as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise CardRefused(f"cannot be read: {error.strerror}", place="file") from error
    if len(content) > most:
        message = f"has more than {most:,} bytes, which are the most that are read"
        raise CardRefused(f"{message} (IDOLCHAT_CHARACTERS_MAX_IMPORT_BYTES)", place="file")
    return content


def text_of(file: Path) -> str:
    """Read UTF-8 text. Raises ``WrongUsage``."""
    try:
        with open_input(file) as stream:
            return stream.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{file} cannot be read as UTF-8 text: {error}") from error
