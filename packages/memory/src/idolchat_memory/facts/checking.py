"""What of a model's answer is believed: only what the user's own words say, quoted from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple
from unicodedata import normalize

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from idolchat_core import MemoryMessage
from idolchat_memory.notes import MAX_TEXT
from idolchat_memory.terms import terms_of

__all__ = ["Fact", "believed"]

MIN_QUOTE = 4
MAX_ABOUT = 60
MAX_FACTS = 20
SAID_SHARE = 0.5
"""So much of what a fact says must be in the message, by its terms; the rest are words like "likes" for "love"."""
_SENTENCE = re.compile(r"[^.!?。\n]+[.!?。\n]*")
_NAMES = re.compile(r"\d+|[^\W\d_]*[A-ZÀ-Þ][^\W\d_]*")
_OURS = frozenset({"User", "Users", "The", "They", "Their", "He", "She", "His", "Her"})


class _Claim(BaseModel):
    """A fact as the model gives it."""

    model_config = ConfigDict(frozen=True)

    message: int
    quote: Annotated[str, BeforeValidator(str), Field(min_length=MIN_QUOTE)]
    fact: str = Field(min_length=1, max_length=MAX_TEXT)
    about: str = Field("", max_length=MAX_ABOUT)


class Fact(NamedTuple):
    """A fact about the user, the message that says so, and the span of it."""

    text: str
    quote: str
    about: str
    message: MemoryMessage


def believed(answer: str, messages: Sequence[MemoryMessage]) -> list[Fact]:
    """Return the facts of an answer that the messages bear out; they are numbered from 1 in the order given."""
    return [fact for claim in _claims(answer) if (fact := _checked(claim, messages)) is not None][:MAX_FACTS]


def _claims(answer: str) -> Iterator[_Claim]:
    """Read the JSON in an answer, whatever stands around it; what is malformed is left out."""
    start, end = answer.find("{"), answer.rfind("}")
    try:
        found = from_json(answer[start : end + 1]) if 0 <= start < end else {}
    except ValueError:
        return
    given = found.get("facts") if isinstance(found, dict) else None
    for one in given if isinstance(given, list) else []:
        try:
            yield _Claim.model_validate(one)
        except ValidationError:
            continue


def _checked(claim: _Claim, messages: Sequence[MemoryMessage]) -> Fact | None:
    if not 0 < claim.message <= len(messages):
        return None
    message = messages[claim.message - 1]
    said, quote = _plain(message.text), _plain(claim.quote)
    if len(quote) < MIN_QUOTE or quote not in said or _is_asked(message.text, quote):
        return None
    if not _is_borne_out(claim.fact, said):
        return None
    return Fact(" ".join(claim.fact.split()), claim.quote.strip(), _plain(claim.about), message)


def _is_asked(text: str, quote: str) -> bool:
    """Whether the quoted words stand in a question, and in no statement."""
    sentences = _SENTENCE.findall(normalize("NFKC", text))
    asked = [_plain(one) for one in sentences if one.rstrip().endswith("?")]
    stated = [_plain(one) for one in sentences if not one.rstrip().endswith("?")]
    words = quote.rstrip("? ")
    return any(words in one for one in asked) and not any(words in one for one in stated)


def _is_borne_out(fact: str, said: str) -> bool:
    """Whether names and numbers of a fact, and half of its words, are in what was said."""
    if any(_plain(name) not in said for name in _NAMES.findall(fact) if name not in _OURS):
        return False
    terms = set(terms_of(fact)) - {"user"}
    return len(terms & set(terms_of(said))) >= SAID_SHARE * len(terms)


def _plain(text: str) -> str:
    return " ".join(normalize("NFKC", text).casefold().split())
