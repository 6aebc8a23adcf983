from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idolchat_characters.lore import Book, LoreBooks, LoreSettings, compile_lore, read_book

if TYPE_CHECKING:
    from lore.conftest import MakeBook


def _books(world: MakeBook, *ids: str) -> dict[str, Book]:
    return {name: read_book(world({"order": 1}, {"order": 9}, {"order": 5}), book_id=name) for name in ids}


def _order(books: LoreBooks, **settings: Any) -> list[str]:
    return [compiled.entry.key for compiled in compile_lore(books, LoreSettings(**settings)).entries]


@pytest.mark.parametrize(("strategy", "first", "second"), [("character_first", "h", "s"), ("global_first", "s", "h")])
def test_books_are_looked_at_by_whose_they_are_and_then_by_order(
    world: MakeBook, strategy: str, first: str, second: str
) -> None:
    made = _books(world, "c", "p", "h", "s")
    books = LoreBooks(conversation=[made["c"]], persona=[made["p"]], character=[made["h"]], server=[made["s"]])

    assert _order(books, strategy=strategy) == [
        f"{book}.{uid}" for book in ("c", "p", first, second) for uid in (1, 2, 0)
    ]


def test_books_of_the_character_and_of_the_server_may_be_mixed_by_order(world: MakeBook) -> None:
    made = _books(world, "h", "s")
    books = LoreBooks(character=[made["h"]], server=[made["s"]])

    assert _order(books, strategy="evenly") == ["s.1", "h.1", "s.2", "h.2", "s.0", "h.0"]


@pytest.mark.parametrize("strategy", ["character_first", "global_first", "evenly"])
def test_a_book_that_is_named_twice_counts_once(world: MakeBook, strategy: str) -> None:
    book = _books(world, "b")["b"]

    assert _order(LoreBooks(character=[book, book], server=[book], conversation=[book]), strategy=strategy) == [
        "b.1", "b.2", "b.0"
    ]  # fmt: skip


def test_no_more_messages_are_needed_than_entries_look_at(world: MakeBook) -> None:
    books = LoreBooks(character=[read_book(world({"scanDepth": 7}, {}), book_id="b")])

    assert compile_lore(books, LoreSettings()).messages_needed == 7
    assert compile_lore(books, LoreSettings(min_activations=1, min_activations_max_depth=20)).messages_needed == 21
    assert compile_lore(books, LoreSettings(min_activations=1)).messages_needed == 1000


def test_a_book_of_the_server_is_looked_at_with_those_of_the_server(world: MakeBook) -> None:
    made = _books(world, "a", "b")
    books = LoreBooks(conversation=[made["a"]], character=[made["b"]], server=[made["a"]])

    assert _order(books) == ["b.1", "b.2", "b.0", "a.1", "a.2", "a.0"]
