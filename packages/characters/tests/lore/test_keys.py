from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_characters.lore.key_index import KeyIndex

if TYPE_CHECKING:
    from lore.conftest import MakeBook, MakeScene

ALPHABET = st.text("ab-_ 日本\u0301", min_size=1, max_size=6)


@given(keys=st.lists(st.tuples(ALPHABET, st.booleans()), unique=True), text=st.text("ab-_ 日本\n", max_size=40))
def test_the_index_finds_what_searching_for_each_key_finds(keys: list[tuple[str, bool]], text: str) -> None:
    index = KeyIndex()
    for number, (key, whole) in enumerate(keys):
        index.add(key, number, whole_words=whole)

    assert index.found_in(text) == {number for number, (key, whole) in enumerate(keys) if _is_in(text, key, whole)}


def _is_in(text: str, key: str, whole: bool) -> bool:
    pattern = rf"(?:^|\W){re.escape(key)}(?:\Z|\W)" if whole else re.escape(key)
    return re.search(pattern, text, re.ASCII) is not None


@pytest.mark.parametrize(
    ("key", "text", "matches"),
    [
        ("dragon", "The DRAGON sleeps.", True),
        ("dragon", "dragonfly", False),
        ("red dragon", "infrared dragonfly", True),
        ("日本", "日本語を話す", True),
        ("  dragon  ", "a dragon", True),
        ("", "anything", False),
        ("   ", "anything", False),
        ("don't", "I don't know", True),
        ("/dragon(fly)?s/", "two dragonflys", True),
        ("/dragon/", "A DRAGON", False),
        ("/dragon/i", "A DRAGON", True),
        ("/a/b/", "a path a/b", False),
        (r"/a\/b/", "a path a/b", True),
        ("/(unclosed/", "an (unclosed one", False),
        ("/(unclosed/", "an /(unclosed/ one", True),
        (r"/^\x01Mika: hi/", "hi", True),
        (r"/\x01Mika: [^\x01]*hi/", "well, hi", True),
    ],
)
def test_a_key_of_a_world_file_matches_as_in_sillytavern(
    scene: MakeScene, world: MakeBook, key: str, text: str, matches: bool
) -> None:
    assert scene(world({"key": [key]})).uids(text) == (["0"] if matches else [])


def test_an_entry_says_itself_whether_case_and_whole_words_count(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"caseSensitive": True}, {"matchWholeWords": False}))

    assert book.uids("Dragonfly") == ["1"]


def test_macros_in_keys_are_resolved_before_they_match(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"key": ["{{user}}"]}, {"key": ["/^.{{user}}: /"]}))

    def substitute(text: str) -> str:
        return text.replace("{{user}}", "Mika")

    assert book.uids("hello", substitute=substitute) == ["0", "1"]
    assert book.uids("hello", substitute=lambda text: text.replace("{{user}}", "Ren")) == []


def test_an_entry_that_looks_at_no_message_is_not_set_off_by_recursion_either(
    scene: MakeScene, world: MakeBook
) -> None:
    book = scene(world({"content": "a castle"}, {"key": ["castle"], "scanDepth": 0}, {"key": ["castle"]}))

    assert book.uids("a dragon") == ["0", "2"]


def test_only_the_newest_messages_are_looked_at(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({}, {"scanDepth": 3}), scan_depth=2)

    assert book.uids("a dragon", "one", "two") == ["1"]


def test_a_group_is_scored_by_keys_as_they_are_written(scene: MakeScene, world: MakeBook) -> None:
    member = {"group": "g", "useGroupScoring": True}
    book = scene(world({**member, "key": ["dragon", " cave"]}, {**member, "key": ["dragon", ""]}))

    assert book.uids("a dragon") == ["1"]
