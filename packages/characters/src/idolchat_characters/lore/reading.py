"""Reads lorebooks of every form from parsed JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idolchat_characters.lore.books import Book, Problem
from idolchat_characters.lore.coercion import mapping, text, truth, whole
from idolchat_characters.lore.entries import Dialect, Entry
from idolchat_characters.lore.settings import LIMITS
from idolchat_characters.lore.v3_books import v3_entry
from idolchat_characters.lore.world_files import converted, digest_of, world_entry

__all__ = ["read_book"]

_SILLYTAVERN_EXTENSIONS = frozenset({
    "automation_id",
    "delay_until_recursion",
    "display_index",
    "exclude_recursion",
    "group_override",
    "prevent_recursion",
    "selectiveLogic",
    "useProbability",
})  # fmt: skip


def read_book(raw: Mapping[str, Any], *, book_id: str, dialect: Dialect | None = None) -> Book:
    """Read a book: a world file, a ``character_book``, or ``{"spec": "lorebook_v3", "data": ...}``.

    Without ``dialect`` the book tells: a world file, or entries with SillyTavern's extensions, follow SillyTavern's
    rules, anything else V3's. Nothing in a book makes this fail: what cannot be used is in ``problems``.
    """
    data = mapping(raw["data"]) if isinstance(raw.get("data"), Mapping) else raw
    is_world = _is_world(data)
    chosen = dialect or (Dialect.SILLYTAVERN if is_world or _is_from_sillytavern(data) else Dialect.V3)
    entries, problems = _entries(data, book_id, chosen, is_world=is_world)
    read = {} if chosen is Dialect.SILLYTAVERN else _limits(data)
    return Book(
        id=book_id,
        dialect=chosen,
        entries=tuple(entries),
        raw=raw,
        name=text(data.get("name")),
        problems=tuple(problems),
        **read,
    )


def _limits(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "scan_depth": _limit(data.get("scan_depth")),
        "token_budget": _limit(data.get("token_budget")),
        "recursive": truth(data.get("recursive_scanning"), default=None),
    }


def _limit(value: Any) -> int | None:
    read = whole(value, None)
    return None if read is None or read < 0 else read


def _members(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    entries = data.get("entries")
    if isinstance(entries, Mapping):
        return sorted(entries.items(), key=_numbers_first)
    return [("", entry) for entry in entries] if isinstance(entries, list) else []


def _numbers_first(member: tuple[str, Any]) -> tuple[bool, int]:
    """Order members as ECMAScript does: whole numbers ascending, then the others as they came."""
    name = member[0]
    is_number = name.isascii() and name.isdigit() and len(name) < 10 and str(int(name)) == name
    return (not is_number, int(name) if is_number else 0)


def _is_world(data: Mapping[str, Any]) -> bool:
    members = _members(data)
    return any(isinstance(entry, Mapping) and ("key" in entry or "uid" in entry) for _, entry in members[:10])


def _is_from_sillytavern(data: Mapping[str, Any]) -> bool:
    return any(
        isinstance(entry, Mapping) and not _SILLYTAVERN_EXTENSIONS.isdisjoint(mapping(entry.get("extensions")))
        for _, entry in _members(data)
    )


def _entries(
    data: Mapping[str, Any], book: str, dialect: Dialect, *, is_world: bool
) -> tuple[list[Entry], list[Problem]]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    taken: set[str] = set()
    for at, (name, raw) in enumerate(_members(data)):
        uid = _free(_uid(raw, name, at), at, taken)
        if not isinstance(raw, Mapping):
            problems.append(Problem(code="entry_invalid", entry=uid, text="the entry is no object: it is left out"))
            continue
        entry, found = _entry(raw, book, uid, dialect, is_world=is_world)
        entries.append(entry)
        problems.extend(found)
    if len(entries) > LIMITS.entries:
        text_ = f"the book has {len(entries)} entries: those after the first {LIMITS.entries} by order never activate"
        problems.append(Problem(code="too_many_entries", text=text_))
    return entries, problems


def _entry(
    raw: Mapping[str, Any], book: str, uid: str, dialect: Dialect, *, is_world: bool
) -> tuple[Entry, tuple[Problem, ...]]:
    digest = digest_of(raw)
    if is_world:
        return world_entry(raw, raw, book=book, uid=uid, digest=digest), ()
    if dialect is Dialect.SILLYTAVERN:
        return world_entry(converted(raw), raw, book=book, uid=uid, digest=digest), ()
    return v3_entry(raw, book=book, uid=uid, digest=digest)


def _uid(raw: Any, name: str, at: int) -> str:
    fields = mapping(raw)
    return text(fields.get("uid")) or text(fields.get("id")) or name or str(at)


def _free(uid: str, at: int, taken: set[str]) -> str:
    """Keep two entries of one book from having the same name."""
    free = uid if uid not in taken else f"{uid}~{at}"
    while free in taken:
        free += "~"
    taken.add(free)
    return free
