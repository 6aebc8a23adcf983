from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_characters.lore import Dialect, LoreBooks, LoreSettings, Position, compile_lore, read_book

if TYPE_CHECKING:
    from lore.conftest import MakeBook

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([
    "key", "keys", "content", "order", "depth", "position", "role", "sticky", "probability", "extensions", "group",
    "selectiveLogic", "priority", "id", "uid", "enabled", "triggers", "characterFilter", "use_regex", "scanDepth", "x",
])  # fmt: skip
ENTRIES = st.dictionaries(NAMES, JSON) | JSON
BOOKS = st.fixed_dictionaries(
    {"entries": st.lists(ENTRIES, max_size=3) | st.dictionaries(st.text(max_size=3), ENTRIES, max_size=3)},
    optional={"name": JSON, "scan_depth": JSON, "token_budget": JSON, "recursive_scanning": JSON, "unknown": JSON},
)


@given(BOOKS)
def test_a_book_is_written_as_it_was_read(raw: dict[str, Any]) -> None:
    written = read_book(raw, book_id="b").to_json()

    assert sorted(map(_dumped, _members(written))) == sorted(map(_dumped, _members(raw)))
    assert {**written, "entries": 0} == {**raw, "entries": 0}


@given(BOOKS, st.sampled_from(Dialect))
def test_nothing_in_a_book_makes_it_fail(raw: dict[str, Any], dialect: Dialect) -> None:
    book = read_book(raw, book_id="b", dialect=dialect)
    lore = compile_lore(LoreBooks(server=[book]), LoreSettings())

    assert len(lore.entries) == sum(isinstance(member, dict) for member in _members(raw))


def _members(raw: Any) -> list[Any]:
    entries = raw["entries"]
    return list(entries.values()) if isinstance(entries, dict) else entries


def _dumped(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("raw", [{}, {"entries": None}, {"entries": []}, {"entries": {}}, {"entries": "none"}])
def test_a_book_without_entries_is_empty(raw: dict[str, Any]) -> None:
    book = read_book(raw, book_id="b")

    assert book.entries == ()
    assert book.to_json() == raw


def test_the_form_of_a_book_tells_its_dialect(world: MakeBook, v3: MakeBook) -> None:
    from_sillytavern = v3({"extensions": {"selectiveLogic": 0, "exclude_recursion": False}})

    dialects = [read_book(raw, book_id="b").dialect.value for raw in (world({}), v3({}), from_sillytavern)]
    assert dialects == ["sillytavern", "v3", "sillytavern"]


def test_a_lorebook_by_itself_is_read_and_written(v3: MakeBook) -> None:
    raw = {"spec": "lorebook_v3", "data": v3({"unknown": 1}), "more": True}
    book = read_book(raw, book_id="b")

    assert len(book.entries) == 1
    assert book.to_json() == raw


def test_sillytavern_reads_its_extensions_from_a_v2_book(v3: MakeBook) -> None:
    extensions = {"position": 4, "depth": 7, "role": 2, "group": "g", "scan_depth": 5, "probability": 40, "sticky": 2}
    raw = v3({"position": "before_char", "extensions": extensions, "case_sensitive": True}, recursive_scanning=True)
    book = read_book(raw, book_id="b", dialect=Dialect.SILLYTAVERN)
    (entry,) = book.entries

    assert (entry.position, entry.depth, entry.role, entry.group) == (Position.AT_DEPTH, 7, "assistant", "g")
    assert (entry.scan_depth, entry.probability, entry.sticky, entry.case_sensitive) == (5, 40, 2, None)
    assert book.recursive is None


def test_entries_of_a_world_file_come_by_ascending_number(world: MakeBook) -> None:
    entries = world({})["entries"]
    raw = {"entries": {name: {**entries["0"], "uid": name} for name in ("10", "b", "2", "a")}}

    assert [entry.uid for entry in read_book(raw, book_id="b").entries] == ["2", "10", "b", "a"]


def test_two_entries_of_one_name_are_kept_apart(world: MakeBook) -> None:
    raw = {"entries": [{"uid": 1, "key": ["a"]}, {"uid": 1, "key": ["b"]}]}

    assert len({entry.key for entry in read_book(raw, book_id="b").entries}) == 2


def test_an_entry_that_is_no_object_is_reported_and_kept() -> None:
    raw = {"entries": [{"keys": ["a"], "content": "x"}, "rubbish"]}
    book = read_book(raw, book_id="b")

    assert [(problem.code, problem.entry) for problem in book.problems] == [("entry_invalid", "1")]
    assert book.to_json() == raw
