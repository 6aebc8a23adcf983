"""Finds which of thousands of plain keys a text holds, in one pass over the text."""

from __future__ import annotations

import re

from idolchat_characters.lore.patterns import literal_pattern

__all__ = ["KeyIndex"]

_WORD = re.compile(r"[0-9A-Za-z_]+")
_GRAM = 4


class KeyIndex:
    """Keys by what has to be in a text for them to match: a word, or some four characters in a row.

    A key of ASCII letters and digits that has to be a whole word is looked up among the words of the text. Any other
    is searched for only where a part of it, chosen to be shared by few keys, is in the text.
    """

    def __init__(self) -> None:
        self._words: dict[str, int] = {}
        self._grams: dict[int, dict[str, list[tuple[str, bool, int]]]] = {}

    def add(self, text: str, number: int, *, whole_words: bool) -> None:
        """Add a key under its number; it is not empty."""
        if whole_words and _WORD.fullmatch(text):
            self._words[text] = number
            return
        size = min(len(text), _GRAM)
        table = self._grams.setdefault(size, {})
        grams = {text[start : start + size] for start in range(min(len(text) - size + 1, 16))}
        rarest = min(sorted(grams), key=lambda gram: len(table.get(gram, ())))
        table.setdefault(rarest, []).append((text, whole_words, number))

    def found_in(self, text: str) -> set[int]:
        """Find the numbers of the keys that match in a text."""
        found: set[int] = set()
        if self._words:
            found.update(self._words[word] for word in self._words.keys() & set(_WORD.findall(text)))
        for size, table in self._grams.items():
            held = table.keys() & {text[start : start + size] for start in range(len(text) - size + 1)}
            for gram in held:
                found.update(number for key, whole, number in table[gram] if _is_in(text, key, whole_words=whole))
        return found


def _is_in(text: str, key: str, *, whole_words: bool) -> bool:
    if key not in text:
        return False
    if not whole_words:
        return True
    pattern = literal_pattern(key, whole_words=True, case_sensitive=True)
    return pattern.found_in(text.encode("utf-8", "replace"))
