"""Halves of surrogate pairs in JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_api.asgi.json_text import mended

WHOLE = st.text(st.characters(exclude_categories=["Cs"]))
ANY = st.text(st.one_of(st.characters(), st.sampled_from(["\\", '"', "\ud83d", "\ude00"])))


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"Hi \uD83D!"', "Hi \ufffd!"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\n"', "\ufffd\n"),
        (rb'"\\ud83d"', "\\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
    ],
)
def test_half_a_pair_becomes_the_replacement_character(sent: bytes, text: str) -> None:
    assert json.loads(mended(sent)) == text


@given(WHOLE)
def test_whole_text_stays(text: str) -> None:
    assert json.loads(mended(json.dumps(text).encode())) == text


@given(ANY)
def test_whatever_javascript_sends_is_text_then(text: str) -> None:
    received: str = json.loads(mended(json.dumps(text).encode()))

    assert received.encode().decode() == received
