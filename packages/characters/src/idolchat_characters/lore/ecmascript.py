r"""Writes regular expressions of ECMAScript as RE2 reads them.

Sources: ECMA-262 2025, section 22.2.1 and annex B.1.2 (read 2026-11), https://github.com/google/re2/wiki/Syntax.
One difference stays: with flag ``m``, ``^`` and ``$`` match at line feeds alone, not at U+000D, U+2028 and U+2029.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["InvalidPattern", "UnsupportedPattern", "translate"]


class InvalidPattern(ValueError):
    """ECMAScript refuses the pattern too."""


class UnsupportedPattern(ValueError):
    """ECMAScript has it and RE2 has not."""


_SPACES = r"\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
_NO_SPACES = (
    r"\x{0}-\x{8}\x{e}-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}"
    r"\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}"
)
_CLASSES = {"s": _SPACES, "S": _NO_SPACES, "d": r"\d", "D": r"\D", "w": r"\w", "W": r"\W"}
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_ANYTHING, _NOTHING = r"(?s:.)", r"[^\x{0}-\x{10ffff}]"
_QUANTIFIER = re.compile(r"[*+?]|\{([0-9]+)(?:(,)([0-9]*))?\}")
_GROUP = re.compile(r"\?:|\?<(?![=!])[^>]*>|\?[ims]*(?:-[ims]+)?:")
_CODE_UNITS = re.compile(r"u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})")
_CODE_POINT = re.compile(r"u\{([0-9a-fA-F]+)\}")
_PROPERTY = re.compile(r"[pP]\{(?:(?:General_Category|gc|Script|sc)=)?(\w+)\}")
_SYNTAX = frozenset("^$\\.*+?()[]{}|/")


def translate(pattern: str, flags: str) -> str:
    """Write a pattern as RE2 reads it, with its flags in it; ``g`` changes nothing, since one match is looked for.

    Raises ``InvalidPattern`` and ``UnsupportedPattern``.
    """
    if len(set(flags)) < len(flags):
        raise InvalidPattern("a flag stands twice")
    body = _Translation(pattern, unicode="u" in flags, dot_all="s" in flags).run()
    inline = "".join(flag for flag in "im" if flag in flags)
    start = r"\A" if "y" in flags else ""
    return (f"(?{inline})" if inline else "") + (f"{start}(?:{body})" if start else body)


def _literal(code: int) -> str:
    if 0xD800 <= code < 0xE000:
        raise UnsupportedPattern("half a surrogate pair")
    character = chr(code)
    return character if character.isascii() and character.isalnum() else f"\\x{{{code:x}}}"


class _Translation:
    def __init__(self, pattern: str, *, unicode: bool, dot_all: bool) -> None:
        self._pattern = pattern
        self._unicode = unicode
        self._dot = _ANYTHING if dot_all else r"[^\n\r\x{2028}\x{2029}]"
        self._at = 0
        self._open = 0
        self._repeatable = False

    def run(self) -> str:
        written: list[str] = []
        while self._at < len(self._pattern):
            written.append(self._next())
        if self._open:
            raise InvalidPattern("a group is not closed")
        return "".join(written)

    def _next(self) -> str:
        if quantifier := _QUANTIFIER.match(self._pattern, self._at):
            return self._quantified(quantifier)
        character = self._pattern[self._at]
        self._at += 1
        self._repeatable = character not in "^$|("
        if (special := self._special(character)) is not None:
            return special()
        if character in "^$|":
            return character
        if self._unicode and character in "{}]":
            raise InvalidPattern(f"a single {character}")
        return _literal(ord(character))

    def _special(self, character: str) -> Callable[[], str] | None:
        match character:
            case "(":
                return self._group
            case ")":
                return self._closed
            case "[":
                return self._class
            case "\\":
                return self._escaped
            case ".":
                return lambda: self._dot
        return None

    def _quantified(self, found: re.Match[str]) -> str:
        if not self._repeatable:
            raise InvalidPattern("nothing to repeat")
        least, _, most = found.groups()
        if least and most and int(least) > int(most):
            raise InvalidPattern("a repetition that ends before it begins")
        self._at = found.end()
        self._repeatable = False
        lazy = "?" if self._pattern.startswith("?", self._at) else ""
        self._at += len(lazy)
        return found.group() + lazy

    def _group(self) -> str:
        self._open += 1
        if not self._pattern.startswith("?", self._at):
            return "("
        if self._pattern.startswith(("?=", "?!", "?<=", "?<!"), self._at):
            raise UnsupportedPattern("a look-around")
        found = _GROUP.match(self._pattern, self._at)
        if found is None:
            raise InvalidPattern("an unknown kind of group")
        self._at = found.end()
        return "(" if found.group().startswith("?<") else f"({found.group()}"

    def _closed(self) -> str:
        if not self._open:
            raise InvalidPattern("a group is closed that was not opened")
        self._open -= 1
        return ")"

    def _escaped(self) -> str:
        character = self._pattern[self._at : self._at + 1]
        if character and character in "bB":
            self._at += 1
            self._repeatable = False
            return f"\\{character}"
        if character and character in "123456789":
            raise UnsupportedPattern("a back reference")
        if character == "k" and self._pattern.startswith("<", self._at + 1):
            raise UnsupportedPattern("a back reference")
        written = self._escape()
        return _literal(written) if isinstance(written, int) else f"[{written}]"

    def _escape(self) -> int | str:
        """Read what stands after a backslash: the code of a character, or the members of a class."""
        rest = self._pattern[self._at :]
        if not rest:
            raise InvalidPattern("a backslash at the end")
        if rest[0] in _CLASSES:
            self._at += 1
            return _CLASSES[rest[0]]
        if self._unicode and (found := _PROPERTY.match(rest)):
            self._at += found.end()
            return f"\\{rest[0]}{{{found.group(1)}}}"
        return self._character(rest)

    def _character(self, rest: str) -> int:
        if found := _CODE_UNITS.match(rest):
            self._at += found.end()
            high, low = (int(unit, 16) for unit in found.groups())
            return 0x10000 + ((high - 0xD800) << 10) + low - 0xDC00
        if found := _CODE.match(rest) or (_CODE_POINT.match(rest) if self._unicode else None):
            self._at += found.end()
            return min(int(next(filter(None, found.groups())), 16), 0x10FFFF)
        if rest[0] == "c" and rest[1:2].isascii() and rest[1:2].isalpha():
            self._at += 2
            return ord(rest[1]) % 32
        return self._identity(rest)

    def _identity(self, rest: str) -> int:
        self._at += 1
        if rest[0] in _CONTROLS:
            return _CONTROLS[rest[0]]
        if rest[0] == "0" and not rest[1:2].isdigit():
            return 0
        if rest[0].isdigit():
            raise UnsupportedPattern("an octal number")
        if self._unicode and rest[0] not in _SYNTAX and rest[0] != "-":
            raise InvalidPattern(f"an unknown escape, {rest[0]}")
        return ord(rest[0])

    def _class(self) -> str:
        negated = self._pattern.startswith("^", self._at)
        self._at += negated
        members: list[str] = []
        while not self._pattern.startswith("]", self._at):
            members.append(self._range())
        self._at += 1
        if not members:
            return _ANYTHING if negated else _NOTHING
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _range(self) -> str:
        first = self._member()
        if not self._pattern.startswith("-", self._at) or self._pattern.startswith("-]", self._at):
            return _member_text(first)
        self._at += 1
        last = self._member()
        if isinstance(first, str) or isinstance(last, str):
            if self._unicode:
                raise InvalidPattern("a class as the end of a range")
            return f"{_member_text(first)}\\-{_member_text(last)}"
        if first > last:
            raise InvalidPattern("a range that ends before it begins")
        return f"{_literal(first)}-{_literal(last)}"

    def _member(self) -> int | str:
        if self._at >= len(self._pattern):
            raise InvalidPattern("a class is not closed")
        character = self._pattern[self._at]
        self._at += 1
        if character != "\\":
            return ord(character)
        if self._pattern.startswith("b", self._at):
            self._at += 1
            return 8
        return self._escape()


def _member_text(member: int | str) -> str:
    return _literal(member) if isinstance(member, int) else member
