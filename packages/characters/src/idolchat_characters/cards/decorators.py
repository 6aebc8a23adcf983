"""Decorators of a lorebook's entries: lines ``@@name value`` at the beginning of their content."""

from __future__ import annotations

from pydantic import JsonValue

from idolchat_characters.character import JsonObject

__all__ = ["without_decorators"]


def without_decorators(book: JsonObject) -> JsonObject:
    """Copy a book for applications that know no decorators: without them, and otherwise as it is."""
    entries = book.get("entries")
    if isinstance(entries, list):
        return {**book, "entries": [_plain(entry) for entry in entries]}
    if isinstance(entries, dict):
        return {**book, "entries": {key: _plain(entry) for key, entry in entries.items()}}
    return book


def _plain(entry: JsonValue) -> JsonValue:
    if not isinstance(entry, dict):
        return entry
    content = entry.get("content")
    if not isinstance(content, str) or not content.startswith("@@"):
        return entry
    lines = content.split("\n")
    first = next((at for at, line in enumerate(lines) if not line.startswith("@@")), len(lines))
    return {**entry, "content": "\n".join(lines[first:])}
