from hypothesis import given
from hypothesis import strategies as st

from idolchat_llm_openrouter.redaction import MAX_QUOTED, Redactor

words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=4, max_size=12)
sentences = st.lists(words, min_size=1, max_size=12).map(" ".join)


def speaking(text: str) -> Redactor:
    return Redactor("sk-canary", [{"role": "user", "content": [{"type": "text", "text": text}]}])


@given(sentences, sentences, sentences)
def test_what_was_said_is_never_quoted(before: str, said: str, after: str) -> None:
    quoted = speaking(said).quoted(f"{before} {said} {after}")

    assert quoted is None or said not in quoted


@given(st.text(min_size=40, max_size=200), st.data())
def test_no_long_part_of_what_was_said_is_quoted(said: str, data: st.DataObject) -> None:
    said = " ".join(said.split())
    start = data.draw(st.integers(0, max(0, len(said) - 25)))
    part = said[start : start + 25]
    quoted = speaking(said).quoted(f"Invalid: {part}")

    assert quoted is None or len(part) < 19 or part not in quoted


def test_the_key_is_never_quoted() -> None:
    assert speaking("hello").quoted("wrong key sk-canary!") is None


def test_harmless_words_are_quoted_on_one_line() -> None:
    assert speaking("my user said this").quoted("user:\n  max_tokens is  too low") == "user: max_tokens is too low"


def test_a_quote_is_short() -> None:
    quoted = Redactor(None).quoted("long " * 1000)

    assert quoted is not None
    assert len(quoted) <= MAX_QUOTED


def test_what_is_no_text_is_not_quoted() -> None:
    no_texts: list[object] = [None, 7, {}, "", "\x1b[31mred"]

    assert [Redactor(None).quoted(words) for words in no_texts] == [None] * 5
