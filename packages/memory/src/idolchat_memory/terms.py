"""Terms: what a message is found by, made of its words."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

import snowballstemmer  # type: ignore[import-untyped]

from idolchat_core import TextAnalysis
from idolchat_core.search import tokens_of

__all__ = ["ANALYSIS", "STOP_WORDS", "stem", "terms_of", "words_of"]

STOP_WORDS = frozenset(resources.files("idolchat_memory.data").joinpath("stop_words.txt").read_text("ascii").split())
_LATIN = re.compile("[a-z0-9]")
_stemmer = snowballstemmer.stemmer("english")
_MAX_LENGTH = 40
"""Characters of a term; what is longer is no word anyone asks for, and is cut."""


@lru_cache(65_536)
def stem(word: str) -> str:
    """Reduce an English word to its stem, by Porter's second algorithm; other words come back as they are."""
    if _LATIN.match(word) is None:
        return word[:_MAX_LENGTH]
    return str(_stemmer.stemWord(word[:_MAX_LENGTH]))


def words_of(text: str) -> list[str]:
    """Split a text into its words, folded, in order, without English stop words.

    A run of a script without blanks gives every pair of neighbouring characters; a character alone gives itself.
    """
    tokens = tokens_of(text)
    if text.isascii():
        return [token for token in tokens if token not in STOP_WORDS]
    return [
        token
        for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False)
        if token not in STOP_WORDS and not _is_in_a_pair(before, token, after)
    ]


def terms_of(text: str) -> list[str]:
    """Return the terms of a text in order, repeated as often as they occur."""
    return [stem(word) for word in words_of(text)]


ANALYSIS = TextAnalysis("english-1", terms_of)
"""Renamed whenever a text gives other terms than before."""


def _is_in_a_pair(before: str, token: str, after: str) -> bool:
    """Whether a token is one character of a dense script whose pairs stand beside it."""
    if len(token) != 1 or token.isascii():
        return False
    return (len(before) == 2 and before[1] == token) or (len(after) == 2 and after[0] == token)
