"""What is shown of a long message."""

from hypothesis import given
from hypothesis import strategies as st

from idolchat_memory.recall.excerpt import MAX_EXCERPT, excerpt


def test_a_short_text_is_shown_whole() -> None:
    assert excerpt("  My dog is called Biscuit.\n", ["dog"]) == "My dog is called Biscuit."


def test_without_a_word_that_matches_the_beginning_is_shown() -> None:
    text = "One. " * 200

    assert excerpt(text, ["dog"], limit=22) == "One. One. One. One.\u2026"


def test_a_sentence_that_never_ends_is_cut() -> None:
    assert len(excerpt("word" * 1000, ["dog"])) <= MAX_EXCERPT


@given(st.text(max_size=2000), st.lists(st.text(max_size=8), max_size=4))
def test_what_is_shown_stands_in_the_text_and_is_short(text: str, words: list[str]) -> None:
    shown = excerpt(text, words, limit=100)

    assert len(shown) <= 100
    assert shown.strip("\u2026").strip() in text
