"""Terms: what a message is found by, made of its words."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from sys import getsizeof

import snowballstemmer  # type: ignore[import-untyped]

from idolchat_core import TextAnalysis
from idolchat_core.search import tokens_of

__all__ = ["ANALYSIS", "STOP_WORDS", "KnownTerms", "distinct_terms", "stem", "terms_of", "words_of"]

STOP_WORDS = frozenset(resources.files("idolchat_memory.data").joinpath("stop_words.txt").read_text("ascii").split())
_LATIN = re.compile("[a-z0-9]")
_MAX_LENGTH = 40
"""Characters of a term; what is longer is no word anyone asks for, and is cut."""
_MAX_KNOWN = 16_384
_ENTRY_BYTES = 100
"""Memory that an entry of a dict takes besides key and value."""


def stem(word: str) -> str:
    """Reduce an English word to its stem, by Porter's second algorithm; other words come back as they are."""
    return _stem(word[:_MAX_LENGTH])


@lru_cache(32_768)  # some 250 bytes each, 8 MB
def _stem(word: str) -> str:
    if _LATIN.match(word) is None:
        return word
    # One of its own for each word: it keeps the word in itself, and several threads stem at once.
    return str(snowballstemmer.stemmer("english").stemWord(word))


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
    if text.isascii():
        return list(filter(None, map(_TERMS.__getitem__, tokens_of(text))))
    return [stem(word) for word in words_of(text)]


class KnownTerms:
    """The terms of texts that are compared again and again; beyond ``max_bytes`` all but the last are forgotten.

    Each stands once, in a tuple: 280 bytes for 30 terms, where a set takes 2,264.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._known: dict[str, tuple[str, ...]] = {}
        self.held_bytes = 0

    def of(self, text: str) -> tuple[str, ...]:
        """Return the distinct terms of a text; any thread may ask."""
        found = self._known.get(text)
        if found is None:
            found = tuple(dict.fromkeys(terms_of(text)))
            size_bytes = _ENTRY_BYTES + getsizeof(text) + getsizeof(found)
            if self.held_bytes + size_bytes > self._max_bytes:
                self._known, self.held_bytes = {}, 0
            self._known[text] = found
            self.held_bytes += size_bytes
        return found


distinct_terms = KnownTerms(1024 * 1024).of


class _Terms(dict[str, str]):
    """The term of each token, empty for a stop word; made when the token is first met. Beyond 3 MB it begins anew."""

    def __missing__(self, token: str) -> str:
        term = "" if token in STOP_WORDS else stem(token)
        if len(token) <= _MAX_LENGTH:
            if len(self) >= _MAX_KNOWN:
                self.clear()
            self[token] = term
        return term


_TERMS = _Terms()


ANALYSIS = TextAnalysis("english-2", terms_of)
"""Renamed whenever a text gives other terms than before."""


def _is_in_a_pair(before: str, token: str, after: str) -> bool:
    """Whether a token is one character of a dense script whose pairs stand beside it."""
    if len(token) != 1 or token.isascii():
        return False
    return (len(before) == 2 and before[1] == token) or (len(after) == 2 and after[0] == token)
