from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pytest

from idolchat_characters.lore import (
    BranchState,
    ChatLine,
    CompiledLore,
    Dialect,
    Explanation,
    LoreBooks,
    LoreSettings,
    ScanInput,
    ScanResult,
    SeededRolls,
    compile_lore,
    explain,
    read_book,
    scan,
)

Raw = Mapping[str, Any]


def world(*entries: Raw, **book: Any) -> dict[str, Any]:
    """Make a world file; an entry without keys of its own is found by ``dragon``."""
    return {
        **book,
        "entries": {str(uid): {"uid": uid, "key": ["dragon"], **entry} for uid, entry in enumerate(entries)},
    }


def v3(*entries: Raw, **book: Any) -> dict[str, Any]:
    """Make a book as V3 has it."""
    members = [
        {"keys": ["dragon"], "content": f"E{at}", "extensions": {}, "enabled": True, "insertion_order": at, **entry}
        for at, entry in enumerate(entries)
    ]
    return {**book, "entries": members, "extensions": {}}


class Scene:
    """One book, and the conversation that it is scanned for."""

    def __init__(self, book: Raw, *, dialect: Dialect | None = None, **settings: Any) -> None:
        read = read_book(book, book_id="book", dialect=dialect)
        self.lore: CompiledLore = compile_lore(LoreBooks(character=[read]), LoreSettings(**settings))
        self.state = BranchState()

    def turn(self, *texts: str, roles: Sequence[str] = (), **more: Any) -> ScanInput:
        lines = [ChatLine("Mika", text) for text in texts]
        given = {
            "state": BranchState(messages=len(texts), replies=list(roles).count("assistant")),
            "context_window": 100_000,
            "roll": SeededRolls(conversation_id="conversation", turn_id="turn"),
            "count_tokens": lambda text: math.ceil(len(text) / 4),
        }
        return ScanInput(messages=lines, **{**given, **more})

    def scan(self, *texts: str, **more: Any) -> ScanResult:
        return scan(self.lore, self.turn(*texts, **more))

    def uids(self, *texts: str, **more: Any) -> list[str]:
        return [activation.entry.uid for activation in self.scan(*texts, **more).activations]

    def explain(self, *texts: str, **more: Any) -> dict[str, Explanation]:
        turn = self.turn(*texts, **more)
        return {told.uid: told for told in explain(self.lore, turn, scan(self.lore, turn))}


class MakeScene(Protocol):
    def __call__(self, book: Raw, *, dialect: Dialect | None = None, **settings: Any) -> Scene: ...


class MakeBook(Protocol):
    def __call__(self, *entries: Raw, **book: Any) -> dict[str, Any]: ...


@pytest.fixture
def scene() -> MakeScene:
    return Scene


@pytest.fixture(name="world")
def make_world() -> MakeBook:
    return world


@pytest.fixture(name="v3")
def make_v3() -> MakeBook:
    return v3
