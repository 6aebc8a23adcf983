import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_llm_openrouter.think_tags import ThinkTags

texts = st.lists(st.sampled_from(["<think>", "</think>", "<th", "ink>", "</", "a", " ", "\n", "<b>"]), max_size=8).map(
    "".join
)


def split(pieces: list[str]) -> tuple[str, str]:
    tags = ThinkTags()
    parts = [*map(tags.split, pieces), tags.rest()]
    return "".join(text for text, _ in parts), "".join(thought for _, thought in parts)


@given(texts, st.lists(st.integers(0, 60), max_size=6))
def test_a_reply_is_split_the_same_however_it_is_cut(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]

    assert split(pieces) == split([text])


@given(texts)
def test_nothing_but_tags_and_blanks_around_them_is_left_out(text: str) -> None:
    said, thoughts = split([text])

    kept = "".join((thoughts + said).split())
    assert kept in ("".join(text.split()), "".join(text.split()).replace("<think>", "", 1).replace("</think>", "", 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a</think>b", ("b", "a")),
        (" \n<think>a</think>\n\nb", ("b", "a")),
        ("<think></think>\n\nb", ("b", "")),
        ("<think>a", ("", "a")),
        ("b <think>a</think>", ("b <think>a</think>", "")),
        ("<think>a</think>b<think>c</think>", ("b<think>c</think>", "a")),
    ],
)
def test_thoughts_at_the_beginning_are_taken_out(text: str, expected: tuple[str, str]) -> None:
    assert split([text]) == expected
