"""Hostile books: the time and the memory that they take are bounded."""

from __future__ import annotations

import json
import random
import resource
import time
from typing import TYPE_CHECKING, Any

import pytest

from idolchat_characters.lore import LIMITS, Reason, read_book

if TYPE_CHECKING:
    from lore.conftest import MakeBook, MakeScene

LONG = "ab " * 30_000

HANGS_S = 60.0
"""CPU that tells work without a bound, which takes hours, from slow work: no measure of speed."""


@pytest.mark.parametrize(
    "pattern", ["/(a+)+$/", "/(a|a)*b/", "/(a|aa)+$/", "/(.*a){25}$/", "/((a*)*)*b/", "/a{1,200}{1,2}b/", "/(x+x+)+y/"]
)
def test_a_catastrophic_pattern_takes_linear_time(scene: MakeScene, world: MakeBook, pattern: str) -> None:
    book = scene(world({"key": [pattern]}))
    started = time.process_time()
    book.scan("a" * 60_000 + "!", "x" * 5_000)

    assert time.process_time() - started < HANGS_S


def test_patterns_search_no_more_than_they_may(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world(*({"key": [f"/(.*{at}.*){{9}}z/"]} for at in range(LIMITS.entries))))
    started = time.process_time()
    result = book.scan(LONG)

    assert result.ran_out
    assert time.process_time() - started < HANGS_S


def test_ten_thousand_entries_are_read_and_the_first_two_thousand_are_used(scene: MakeScene, world: MakeBook) -> None:
    raw = world(*({"order": at} for at in range(10_000)))
    started = time.process_time()
    book = scene(raw)

    assert len(book.lore.entries) == LIMITS.entries
    assert {entry.order for entry in book.lore.left_out} == set(range(8_000))
    assert [problem.code for _, problem in book.lore.problems] == ["too_many_entries"]
    assert book.explain("a dragon")["0"].reason is Reason.TOO_MANY_ENTRIES
    assert time.process_time() - started < HANGS_S


def test_a_chain_of_entries_ends(scene: MakeScene, world: MakeBook) -> None:
    chain = [{"key": [f"k{at}"], "content": f"k{at + 1} " + "x" * 100} for at in range(LIMITS.entries)]
    book = scene(world(*chain), budget_percent=100)
    started = time.process_time()
    result = book.scan("k0", context_window=10**9)

    assert result.was_ended
    assert len(result.activations) == LIMITS.rounds + 1
    assert time.process_time() - started < HANGS_S


def test_many_depths_delays_and_patterns_together_end(scene: MakeScene, world: MakeBook) -> None:
    rng = random.Random(1)
    entries = [
        {
            "key": [f"/(a|b)*{at}/", "ab"],
            "keysecondary": ["zzz"],
            "scanDepth": rng.randint(1, 1000),
            "delayUntilRecursion": rng.randint(0, 500),
            "content": "ab " * 200,
        }
        for at in range(LIMITS.entries)
    ]
    book = scene(world(*entries), min_activations=10_000)
    started = time.process_time()
    result = book.scan(*["ab ab ab"] * 1_000)

    assert result.was_ended
    assert time.process_time() - started < HANGS_S


def test_more_text_than_is_scanned_is_cut_at_the_oldest(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({}, {"key": ["castle"]}), scan_depth=3)
    result = book.scan("a castle", "x" * LIMITS.scan_chars, "a dragon")

    assert [activation.entry.uid for activation in result.activations] == ["0"]
    assert result.is_cut


def test_keys_beyond_the_limit_are_told_and_never_match(scene: MakeScene, world: MakeBook) -> None:
    many = [f"k{at}" for at in range(LIMITS.keys)]
    book = scene(world({"key": many, "order": 200}, {"key": ["dragon"], "order": 100}))

    assert book.uids("k7 dragon") == ["0"]
    assert [problem.code for _, problem in book.lore.problems] == ["too_many_keys"]


def test_a_long_key_is_told_and_never_matches(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"key": ["x" * 501]}))

    assert book.uids("x" * 600) == []
    assert [problem.code for _, problem in book.lore.problems] == ["key_too_long"]


def test_patterns_take_little_memory(scene: MakeScene, world: MakeBook) -> None:
    entries = [{"key": [f"/(?:[a-z]{{1,{at + 1}}}){at}/"]} for at in range(500)]
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scene(world(*entries)).scan(LONG)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64 * 1024


def test_an_entry_nested_as_deep_as_json_is_read_is_read() -> None:
    depth = 900
    raw: dict[str, Any] = json.loads('{"entries": [{"keys": ["a"], "x": ' + "[" * depth + "]" * depth + "}]}")

    assert len(read_book(raw, book_id="b").entries) == 1


def test_an_entry_nested_deeper_than_json_is_written_is_read() -> None:
    nested: list[Any] = []
    for _ in range(200_000):
        nested = [nested]

    assert len(read_book({"entries": [{"keys": ["a"], "x": nested}]}, book_id="b").entries) == 1
    while nested:
        nested = nested.pop()
