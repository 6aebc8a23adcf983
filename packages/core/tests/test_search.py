"""What an index is asked for is what it was given of every text that matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.errors import InvalidRequest
from idolchat_core.search import Query, tokens_of

TEXTS = st.text(st.sampled_from("aé ß'Ｋ9_-初音ミク안녕สวัन्म.\u0301"), max_size=30)


def stand_together(tokens: list[str], wanted: tuple[str, ...], *, is_beginning: bool) -> bool:
    size = len(wanted)
    return any(
        tokens[start : start + size - 1] == list(wanted[:-1])
        and (
            tokens[start + size - 1].startswith(wanted[-1]) if is_beginning else tokens[start + size - 1] == wanted[-1]
        )
        for start in range(len(tokens) - size + 1)
    )


@given(TEXTS, st.data())
def test_the_tokens_of_a_term_stand_together_in_every_text_it_matches(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    cut = text[start : data.draw(st.integers(start, len(text)))]
    try:
        query = Query(data.draw(st.sampled_from([cut, f'"{cut}"', f"{cut}*"])))
    except InvalidRequest:
        return
    if query.show(text) is None:
        return
    tokens = list(tokens_of(text))
    for term in query.terms:
        assert stand_together(tokens, term.tokens, is_beginning=term.is_beginning)


@given(TEXTS, st.sampled_from(" -_.\n"), TEXTS)
def test_what_stands_apart_has_the_tokens_that_it_has_alone(text: str, sign: str, other: str) -> None:
    assert tokens_of(text + sign + other) == tokens_of(text) + tokens_of(other)


def test_words_are_the_same_beside_signs_of_other_scripts() -> None:
    tokens = ["the", "strasse", "at", "9", "said", "ken", "中", "中国", "国"]
    assert tokens_of("The Straße — “at 9”, said Ｋen… 中国") == tokens


@pytest.mark.parametrize(("query", "text"), [("e-mail", "email"), ("99_9", "999"), ("中-国", "中国"), ("न्-9", "न््-9")])
def test_what_a_query_keeps_apart_is_not_found_in_one_piece(query: str, text: str) -> None:
    assert Query(query).show(text) is None
    assert Query(query).show(query) is not None


@given(st.text(), st.text(min_size=1))
def test_matches_lie_in_the_snippet(text: str, wanted: str) -> None:
    try:
        shown = Query(wanted).show(text + wanted)
    except InvalidRequest:
        return
    if shown is not None:
        snippet, matches = shown
        assert all(0 <= start < end <= len(snippet) for start, end in matches)


@pytest.mark.parametrize("text", ["초음", "e\u0301", "ﬁ", "İ"])
def test_forms_of_the_same_text_are_the_same(text: str) -> None:
    assert Query(text).show(text) is not None
