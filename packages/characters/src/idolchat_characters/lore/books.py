"""Lorebooks, and what was found wrong in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idolchat_characters.lore.entries import Dialect, Entry

__all__ = ["Book", "Problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in a book that does not work as its author may expect, and what is done instead.

    ``code`` is a stable word, ``entry`` the ``uid`` of the entry (``None``: the book), ``text`` is for people.
    """

    code: str
    text: str
    entry: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A lorebook: its entries, its own limits where it brings some, and the JSON that it was read from."""

    id: str
    dialect: Dialect
    entries: tuple[Entry, ...]
    raw: Mapping[str, Any]
    name: str = ""
    scan_depth: int | None = None
    token_budget: int | None = None
    recursive: bool | None = None
    problems: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Write the book in the form that it was read from, with the entries that it has now.

        Fields that are unknown here are written as they were read.
        """
        if isinstance(self.raw.get("data"), Mapping):
            return {**self.raw, "data": _with_entries(self.raw["data"], self.entries)}
        return _with_entries(self.raw, self.entries)


def _with_entries(raw: Mapping[str, Any], entries: Sequence[Entry]) -> dict[str, Any]:
    members = raw.get("entries")
    if isinstance(members, Mapping):
        names = {id(member): name for name, member in members.items()}
        invalid = {name: member for name, member in members.items() if not isinstance(member, Mapping)}
        return {**raw, "entries": {names.get(id(entry.raw), entry.uid): entry.raw for entry in entries} | invalid}
    if isinstance(members, list):
        return {**raw, "entries": [entry.raw for entry in entries] + [e for e in members if not isinstance(e, Mapping)]}
    return {**raw, "entries": [entry.raw for entry in entries]} if entries else dict(raw)
