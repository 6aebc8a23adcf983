"""English words of like meaning, so that a question finds an answer in other words. Data made by tools/derive.py."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from itertools import accumulate

from idolchat_memory.terms import stem

__all__ = ["NO_STEM", "Thesaurus", "load_thesaurus"]


_MAX_KNOWN = 1024
"""Words whose like are at hand, some 2 KB each."""
NO_STEM = 0xFFFF
"""Stands for the stem of a stop word."""


class Thesaurus:
    """Which terms come near a word, from the content of ``thesaurus.bin``."""

    def __init__(self, content: bytes) -> None:
        stems, words, rest = zlib.decompress(content).split(b"\0", 2)
        self._stems = stems.decode().split("\n")
        self.words = names = words.decode().split("\n")
        """All words, roughly by how frequent they are."""
        own, rest = array("H", rest[: 2 * len(names)]), rest[2 * len(names) :]
        self._starts = [0, *accumulate(rest[: len(names)])]
        total = self._starts[-1]
        self._near = array("H", rest[len(names) : len(names) + 2 * total])
        self._similarities = rest[len(names) + 2 * total :]
        # Of the words of one stem the most frequent stands first, and stands for words that are not here.
        count = len(names)
        self._numbers = {self._stems[own[at]]: at for at in range(count - 1, -1, -1) if own[at] != NO_STEM}
        self._numbers |= {name: number for number, name in enumerate(names)}
        self.near = lru_cache(_MAX_KNOWN)(self._near_to)
        """List terms near a word, with how near from 0 to 1, nearest first; its own term is not among them."""

    def _near_to(self, word: str) -> Sequence[tuple[str, float]]:
        number = self._numbers.get(word, self._numbers.get(stem(word)))
        if number is None:
            return ()
        span = range(self._starts[number], self._starts[number + 1])
        return [(self._stems[self._near[at]], self._similarities[at] / 255) for at in span]


@cache
def load_thesaurus() -> Thesaurus:
    """Load the thesaurus of this package; once in a process."""
    return Thesaurus(resources.files("idolchat_memory.data").joinpath("thesaurus.bin").read_bytes())
