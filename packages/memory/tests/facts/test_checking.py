"""What of a model's answer is believed."""

import json
from datetime import UTC, datetime
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core import MemoryMessage
from idolchat_memory.facts.checking import Fact, believed


def said(*texts: str) -> list[MemoryMessage]:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return [MemoryMessage(str(place), place, "user", "", at, text) for place, text in enumerate(texts)]


def claimed(fact: str, quote: str, *texts: str, message: Any = 1, about: str = "") -> list[Fact]:
    answer = json.dumps({"facts": [{"message": message, "quote": quote, "fact": fact, "about": about}]})
    return believed(answer, said(*texts))


def test_a_fact_is_kept_with_the_words_that_say_so() -> None:
    text, quote = "The user has a dog named Biscuit.", "my dog  BISCUIT"
    [fact] = claimed(text, quote, "Look, my dog Biscuit!", about="Name of dog")

    assert (fact.text, fact.quote, fact.about) == (text, quote, "name of dog")


@pytest.mark.parametrize(
    ("fact", "quote", "text"),
    [
        ("The user has a cat.", "I have a cat", "I have a dog"),
        ("The user has a cat named Luna.", "I have a cat", "I have a cat"),
        ("Luna is the cat of the user.", "I have a cat", "I have a cat"),
        ("The user is 34 years old.", "I am old", "I am old"),
        ("The user likes Christophe.", "What does Christophe like?", "What does Christophe like?"),
        ("The user likes Christophe.", "does Christophe like", "What does Christophe like?"),
        ("クリストフが好き。", "クリストフは何が好き", "クリストフは何が好き？"),
        ("The user is a famous astronaut on Mars.", "hello there", "hello there"),
        ("The user has a dog.", "dog", "dog"),
    ],
    ids=[
        "misquoted",
        "invented name",
        "invented first name",
        "invented number",
        "asked",
        "asked in part",
        "asked in Japanese",
        "said otherwise",
        "hardly a quote",
    ],
)
def test_what_the_user_did_not_say_is_dropped(fact: str, quote: str, text: str) -> None:
    assert claimed(fact, quote, text) == []


def test_what_is_stated_beside_a_question_is_kept() -> None:
    assert claimed("The user loves tea.", "I love tea", "I love tea. Do you love tea?") != []


@pytest.mark.parametrize("message", [0, 2, -1, "x", None])
def test_a_message_that_was_not_given_is_no_source(message: Any) -> None:
    assert claimed("The user loves tea.", "I love tea", "I love tea", message=message) == []


@pytest.mark.parametrize(
    "answer", ["", "I cannot do that.", "{", "[]", '{"facts": {}}', '{"facts": [5, null, {"fact": "x"}]}', '{"a": 1}']
)
def test_an_answer_that_is_none_gives_nothing(answer: str) -> None:
    assert believed(answer, said("I love tea")) == []


def test_json_in_a_fence_is_read() -> None:
    answer = '```json\n{"facts": [{"message": 1, "quote": "I love tea", "fact": "The user loves tea."}]}\n```'

    assert len(believed(answer, said("I love tea"))) == 1


@given(answer=st.text(), quote=st.text(), fact=st.text(), text=st.text())
def test_whatever_a_model_says_each_quote_is_in_a_message(answer: str, quote: str, fact: str, text: str) -> None:
    for one in [*believed(answer, said(text)), *claimed(fact, quote, text)]:
        assert plain(one.quote) in plain(one.message.text)


def plain(text: str) -> str:
    return " ".join(normalize("NFKC", text).casefold().split())
