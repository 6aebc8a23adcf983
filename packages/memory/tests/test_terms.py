"""What a message is found by."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_memory.recall.thesaurus import load_thesaurus
from idolchat_memory.terms import KnownTerms, terms_of


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The dogs were running", ["dog", "run"]),
        ("Café CAFÉ", ["cafe", "cafe"]),
        ("猫が好き", ["猫が", "が好", "好き"]),
        ("猫 x", ["猫", "x"]),
        ("강아지가 왔다", ["강아", "아지", "지가", "왔다"]),
        ("iPhone15を買う", ["iphone15", "を買", "買う"]),
        ("I am who I am", []),
    ],
)
def test_terms_are_stems_and_pairs_of_characters(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_threads_that_stem_at_once_find_the_same_terms_as_one_alone() -> None:
    texts = [f"concert{number}s running{number}ing" for number in range(4000)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(terms_of, texts))

    assert found == [[f"concert{number}", f"running{number}"] for number in range(4000)]


@given(st.text())
def test_a_term_is_short_and_never_empty(text: str) -> None:
    assert all(0 < len(term) <= 40 for term in terms_of(text))


@pytest.mark.parametrize(("word", "near"), [("puppy", "dog"), ("kids", "children"), ("hiking", "trail")])
def test_words_of_like_meaning_are_near(word: str, near: str) -> None:
    terms = dict(load_thesaurus().near(word))

    assert 0 < terms[terms_of(near)[0]] <= 1


@pytest.mark.parametrize("word", ["qwrtzp", "猫が", ""])
def test_an_unknown_word_has_nothing_near(word: str) -> None:
    assert load_thesaurus().near(word) == ()


def test_terms_that_are_kept_of_texts_take_no_more_than_their_bound() -> None:
    known = KnownTerms(100_000)

    for number in range(1000):
        assert known.of(f"number {number} {'long ' * number}") == ("number", str(number), *["long"][: bool(number)])
        assert known.held_bytes <= 100_000
