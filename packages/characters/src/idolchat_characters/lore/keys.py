"""Keys, compiled once for a set of books."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from idolchat_characters.lore.books import Problem
from idolchat_characters.lore.ecmascript import InvalidPattern, UnsupportedPattern
from idolchat_characters.lore.entries import Dialect, Entry
from idolchat_characters.lore.key_index import KeyIndex
from idolchat_characters.lore.patterns import Pattern, literal_pattern, pattern_of, slashed
from idolchat_characters.lore.settings import LIMITS, LoreSettings

__all__ = ["Key", "KeyCompiler", "strip"]

_BLANKS = "\t\n\v\f\r \xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
_BLANK = re.compile(f"[{_BLANKS}]")
_MACRO = re.compile(r"\{\{|<(?:user|char|bot|group|charifnotgroup)>", re.IGNORECASE)
_SEAM = re.compile("[\n\x01]")


def strip(text: str) -> str:
    """Cut off the blanks at both ends, those that ECMAScript's ``trim`` does."""
    return text.strip(_BLANKS)


@dataclass(frozen=True, slots=True)
class Key:
    """A key: a number in the index, else a pattern, else (``macro``) to be made for each scan, else it never matches.

    ``scored_as`` is what SillyTavern looks for when it scores the members of a group: there it does not cut blanks off,
    and finds an empty key (``always``) anywhere.
    """

    text: str
    number: int | None = None
    pattern: Pattern | None = None
    macro: bool = False
    problem: Problem | None = None
    always: bool = False
    scored_as: Key | None = None


class KeyCompiler:
    """Compiles keys, the same one once, and fills the indexes that find them."""

    def __init__(self, settings: LoreSettings) -> None:
        self._settings = settings
        self._numbers: dict[tuple[str, bool, bool], int] = {}
        self.exact = KeyIndex()
        self.lowered = KeyIndex()

    def compile(self, entry: Entry, text: str) -> Key:
        """Compile a key of an entry."""
        if _MACRO.search(text):
            return Key(text, macro=True)
        key = self.static(entry, text)
        if entry.dialect is Dialect.V3 or strip(text) == text != "" or len(text) > LIMITS.key_chars:
            return key
        scored_as = self._plain(entry, text, text, indexed=True) if text else Key(text, always=True)
        return replace(key, scored_as=scored_as)

    def static(self, entry: Entry, text: str, *, indexed: bool = True) -> Key:
        """Compile a key as it stands; one that is not ``indexed`` becomes a pattern in any case."""
        key = strip(text)
        if not key:
            return Key(text)
        if (found := self._pattern(entry, text, key)) is not None:
            return found
        if len(key) > LIMITS.key_chars:
            why = f"has {len(key)} characters, and at most {LIMITS.key_chars} are allowed"
            return Key(text, problem=_problem(entry, "key_too_long", text, why))
        return self._plain(entry, text, key, indexed=indexed)

    def _pattern(self, entry: Entry, text: str, key: str) -> Key | None:
        parts = slashed(key)
        if entry.dialect is Dialect.V3:
            parts = (parts or (key, "")) if entry.use_regex else None
        if parts is None:
            return None
        try:
            return Key(text, pattern=pattern_of(*parts))
        except UnsupportedPattern as error:
            return Key(text, problem=_problem(entry, "pattern_unsupported", text, f"cannot be run ({error})"))
        except InvalidPattern as error:
            if entry.dialect is Dialect.SILLYTAVERN:
                return None
            return Key(text, problem=_problem(entry, "pattern_invalid", text, f"is no valid pattern ({error})"))

    def _plain(self, entry: Entry, text: str, key: str, *, indexed: bool) -> Key:
        whole, cased = self._choices(entry)
        whole = whole and not _BLANK.search(key)
        if not indexed or _SEAM.search(key):
            return Key(text, pattern=literal_pattern(key, whole_words=whole, case_sensitive=cased))
        shown = key if cased else key.lower()
        number = self._numbers.get((shown, whole, cased))
        if number is None:
            number = self._numbers[shown, whole, cased] = len(self._numbers)
            (self.exact if cased else self.lowered).add(shown, number, whole_words=whole)
        return Key(text, number=number)

    def _choices(self, entry: Entry) -> tuple[bool, bool]:
        settings = self._settings
        whole = settings.whole_words if entry.dialect is Dialect.SILLYTAVERN else False
        return (
            whole if entry.whole_words is None else entry.whole_words,
            settings.case_sensitive if entry.case_sensitive is None else entry.case_sensitive,
        )


def _problem(entry: Entry, code: str, key: str, why: str) -> Problem:
    return Problem(code=code, entry=entry.uid, text=f"the key {key[:80]!r} {why}: it never matches")
