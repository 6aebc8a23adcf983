"""What a question asks for: its words, whom it speaks of, and of which time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from idolchat_core import Speaker
from idolchat_memory.recall.periods import Period, find_time
from idolchat_memory.terms import stem, words_of

__all__ = ["Question", "read_question"]

_CONTEXT_WEIGHT = 0.35
_ASIDE = re.compile(
    r"\b(?:do|did|can|could|would|will) you (?:still |even |happen to )?(?:remember|recall|know|tell|say|think|guess)\b"
    r"|\byou (?:know|remember|said|told)\b|\bremind me\b|\btell me\b|\bi (?:told|said|mentioned|asked)\b"
    r"|\b(?:did|have) i (?:ever )?(?:tell|told|mention|mentioned|say|said)\b|\blet me\b|\bi (?:think|guess|wonder)\b"
)
"""Frames of a question about the past, whose I and you are not what it asks about."""
_SAID_BY = {
    "assistant": re.compile(
        r"\b(?:you (?:said|told|mentioned|promised|wrote)|did you (?:say|tell|mention|promise))\b"
        r"|君が言|きみが言|あなたが言|你说过|你說過|네가 (?:말|그랬)"
    ),
    "user": re.compile(
        r"\bi (?:said|told|mentioned|asked)\b|\bdid i (?:ever )?(?:tell|mention|say)\b"
        r"|(?:俺|僕|私|わたし)が(?:言|話)|我(?:说|說|告诉|告訴)过?|내가 (?:말|얘기|그랬)"
    ),
}
_PRONOUNS = {
    "user": re.compile(
        r"\b(?:i|i'm|i've|i'd|me|my|mine|myself)\b|私|わたし|僕|ぼく|俺|おれ|我"
        r"|(?:^|\s)(?:나|내|제|저)(?:는|가|의|를|도|한테|에게|랑)?(?=\s|$)|(?:^|\s)(?:난|내가|제가|나의|저의)(?=\s|$)"
    ),
    "assistant": re.compile(
        r"\b(?:you|your|yours|yourself)\b|君の|君は|君が|きみ|あなた|お前|你|妳|您"
        r"|(?:^|\s)(?:너|네|당신|니)(?:는|가|의|를|도|한테|에게|랑)?(?=\s|$)|(?:^|\s)넌(?=\s|$)"
    ),
}


class Question(NamedTuple):
    """A question, read. ``words`` are weighted; those of names of the two speakers are left out.

    ``speaker`` is whose messages it asks for, or None; ``is_named`` that it does so by name, not by a pronoun.
    ``vague_words`` speak of a time that cannot be read.
    """

    words: dict[str, float]
    speaker: Speaker | None
    is_named: bool
    period: Period | None
    vague_words: str | None


def read_question(text: str, *, context: str = "", names: tuple[str, str] = ("", ""), now: datetime) -> Question:
    """Read what a user asks. ``names`` are those of the user and the character; ``context`` is what was said before."""
    period, vague = find_time(text, now)
    rest = _without(text.lower(), period.words) if period else text
    of_names = {stem(word) for name in names for word in words_of(name)}
    words = dict.fromkeys((word for word in words_of(rest) if stem(word) not in of_names), 1.0)
    for word in words_of(context):
        if stem(word) not in of_names:
            words.setdefault(word, _CONTEXT_WEIGHT)
    named = _named(text, names)
    speaker = named or _by_pronoun(text.lower())
    return Question(words, speaker, named is not None, period, vague)


def _without(text: str, words: str) -> str:
    return text.replace(words, " ", 1)


def _named(text: str, names: tuple[str, str]) -> Speaker | None:
    if not any(names):
        return None
    words = {stem(word) for word in words_of(text)}
    mentioned: list[Speaker] = []
    for role, name in zip(("user", "assistant"), names, strict=True):
        if not words.isdisjoint(stem(word) for word in words_of(name)):
            mentioned.append("user" if role == "user" else "assistant")
    return mentioned[0] if len(mentioned) == 1 else None


def _by_pronoun(text: str) -> Speaker | None:
    said_by = _only(role for role, pattern in _SAID_BY.items() if pattern.search(text))
    if said_by is not None:
        return said_by
    rest = _ASIDE.sub(" ", text)
    return _only(role for role, pattern in _PRONOUNS.items() if pattern.search(rest))


def _only(roles: Iterable[str]) -> Speaker | None:
    found = list(roles)
    if len(found) != 1:
        return None
    return "user" if found[0] == "user" else "assistant"
