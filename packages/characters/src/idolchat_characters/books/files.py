"""Lorebooks as files: from the bytes of one to a record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from idolchat_characters.books.records import Lorebook
from idolchat_characters.cards import CardLimits
from idolchat_characters.cards.json_text import parse_object
from idolchat_characters.character import JsonObject
from idolchat_characters.errors import CardRefused
from idolchat_characters.lore import LoreBooks, LoreSettings, Problem, compile_lore, read_book
from idolchat_characters.problems import Findings
from idolchat_core import InvalidRequest

__all__ = ["checked", "encoded", "name_in", "read_file"]


def read_file(content: bytes, *, max_bytes: int) -> tuple[JsonObject, tuple[Problem, ...]]:
    """Read the JSON of a book, and find what does not work in it. Raises ``CardRefused``."""
    findings = Findings()
    raw = _book_in(parse_object(content, "file", limits=CardLimits(json_bytes=max_bytes), findings=findings))
    read = [Problem(code="file", text="; ".join(map(str, findings.all())))] if findings.all() else []
    problems = compile_lore(LoreBooks(character=(read_book(raw, book_id="book"),)), LoreSettings()).problems
    return raw, (*read, *(problem for _, problem in problems))


def checked(fields: Mapping[str, Any], raw: JsonObject) -> Lorebook:
    """Make a lorebook of its fields and its JSON. Raises ``InvalidRequest``."""
    counted = {"entry_count": _entry_count(raw), "size_bytes": len(encoded(raw))}
    try:
        return Lorebook.model_validate({**fields, **counted, "book": raw})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(map(str, problem["loc"]))
        raise InvalidRequest(f"{param}: {problem['msg'].removeprefix('Value error, ')}", param=param) from None


def _book_in(raw: JsonObject) -> JsonObject:
    """Return the book of a file: all of it, or what a card holds. Raises ``CardRefused``."""
    data = raw.get("data")
    inner = data if isinstance(data, dict) else raw
    held = inner.get("character_book")
    if isinstance(held, dict):
        return held
    if isinstance(inner.get("entries"), dict | list):
        return raw
    raise CardRefused("is missing, or no list and no object: this is no lorebook, nor a card with one", place="entries")


def _entry_count(raw: JsonObject) -> int:
    data = raw.get("data")
    entries = (data if isinstance(data, dict) else raw).get("entries")
    return len(entries) if isinstance(entries, dict | list) else 0


def name_in(raw: JsonObject) -> str:
    """Return the name that a book gives itself."""
    data = raw.get("data")
    name = (data if isinstance(data, dict) else raw).get("name")
    return name[:256] if isinstance(name, str) and name.strip() else "Lorebook"


def encoded(raw: object) -> bytes:
    """Write a book as JSON."""
    return json.dumps(raw, ensure_ascii=False).encode("utf-8", "replace")
