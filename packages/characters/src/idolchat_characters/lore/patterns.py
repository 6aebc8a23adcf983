"""Patterns in keys: ``/dragon(s|ling)?/i``, run by RE2, whose time is linear in the text."""

from __future__ import annotations

import re
from functools import lru_cache

import re2  # type: ignore[import-untyped]  # it brings no types

from idolchat_characters.lore.ecmascript import InvalidPattern, UnsupportedPattern, translate
from idolchat_characters.lore.settings import LIMITS

__all__ = ["Pattern", "literal_pattern", "pattern_of", "slashed"]

_SLASHED = re.compile(r"/(.+?)/([gimsuy]*)\Z", re.DOTALL)
_BARE_SLASH = re.compile(r"(?:^|[^\\])/")
_MAX_MEMORY_BYTES = 256 * 1024
_OUTSIDE_WORDS = "[^0-9A-Za-z_]"


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_compiled",)

    def __init__(self, source: str) -> None:
        options = re2.Options()
        options.max_mem = _MAX_MEMORY_BYTES
        options.log_errors = False
        options.never_capture = True
        try:
            self._compiled = re2.compile(source.encode(), options)
        except re2.error as error:
            reason = error.args[0] if error.args else "refused"
            raise UnsupportedPattern(reason.decode() if isinstance(reason, bytes) else str(reason)) from error

    def found_in(self, text: bytes) -> bool:
        """Whether the pattern matches anywhere in a text, given as UTF-8."""
        return self._compiled.search(text) is not None


def slashed(key: str) -> tuple[str, str] | None:
    """Cut ``/pattern/flags`` into its parts; ``None`` where a key is no such thing.

    As in SillyTavern: a slash inside has to be escaped, and only the first escaped one loses its backslash.
    """
    found = _SLASHED.match(key)
    if found is None or _BARE_SLASH.search(found[1]):
        return None
    return found[1].replace("\\/", "/", 1), found[2]


@lru_cache(maxsize=1024)
def pattern_of(source: str, flags: str) -> Pattern:
    """Compile a pattern written for ECMAScript.

    Raises ``InvalidPattern`` where ECMAScript refuses it, ``UnsupportedPattern`` where RE2 alone does, or where it is
    longer than 500 characters.
    """
    if len(source) > LIMITS.key_chars:
        raise UnsupportedPattern(f"{len(source)} characters, and at most {LIMITS.key_chars} are allowed")
    if any(0xD800 <= ord(character) < 0xE000 for character in source):
        raise InvalidPattern("half a surrogate pair")
    return Pattern(translate(source, flags))


@lru_cache(maxsize=1024)
def literal_pattern(text: str, *, whole_words: bool, case_sensitive: bool) -> Pattern:
    """Compile a pattern that finds a text, between characters that are no ASCII letter, digit or underscore."""
    escaped = "".join(f"\\x{{{ord(character):x}}}" for character in text)
    start, end = (f"(?:^|{_OUTSIDE_WORDS})", f"(?:$|{_OUTSIDE_WORDS})") if whole_words else ("", "")
    return Pattern(f"{'' if case_sensitive else '(?i)'}{start}{escaped}{end}")
