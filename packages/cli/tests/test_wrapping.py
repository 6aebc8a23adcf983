"""Lines end between words, wherever the text was cut on its way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from idolchat_cli.wrapping import WrappedText

WORDS = st.text("abcdefgh", min_size=1, max_size=9)


def wrapped(*pieces: str, width: int) -> str:
    """Wrap a text that comes in these pieces."""
    text = WrappedText(width)
    return "".join([*map(text.feed, pieces), text.end()])


def test_a_line_ends_before_the_word_that_does_not_fit() -> None:
    assert wrapped("one two ", "thr", "ee four", width=9) == "one two\nthree\nfour"


def test_line_ends_and_indents_stay() -> None:
    assert wrapped("a:\n    b\n\nc", width=20) == "a:\n    b\n\nc"


def test_wide_characters_count_twice_and_break_anywhere() -> None:
    assert wrapped("今日はいい", "天気ですね", width=8) == "今日はい\nい天気で\nすね"


def test_a_word_longer_than_the_line_is_left_whole() -> None:
    assert wrapped("see " + "x" * 25 + " there", width=10) == "see\n" + "x" * 25 + "\nthere"


def test_all_but_the_last_word_is_shown_at_once() -> None:
    text = WrappedText(40)

    assert text.feed("Hello the") == "Hello"
    assert text.feed("re, you") == " there,"
    assert text.end() == " you"


def test_a_word_without_an_end_is_not_held_back_for_ever() -> None:
    text = WrappedText(40)

    assert sum(len(text.feed("ก")) for _ in range(100)) >= 80


@given(st.lists(WORDS, min_size=1), st.integers(10, 30))
def test_no_line_is_wider_than_the_terminal(words: list[str], width: int) -> None:
    lines = wrapped(" ".join(words), width=width).split("\n")

    assert max(map(cell_len, lines)) <= width
    assert " ".join(lines).split() == words


@given(st.lists(st.sampled_from(["a", "bcd", "efghij", " ", "  ", "\n", "今"])), st.data())
def test_where_a_text_is_cut_makes_no_difference(parts: list[str], data: st.DataObject) -> None:
    text = " ".join(parts)
    cut = data.draw(st.integers(0, len(text)))

    assert wrapped(text[:cut], text[cut:], width=12) == wrapped(text, width=12)
