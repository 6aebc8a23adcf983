"""JSON from strangers: read strictly, within bounds, and with what is wrong said by its place."""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Final, cast

from pydantic import JsonValue

from idolchat_characters.cards.limits import CardLimits
from idolchat_characters.character import JsonObject
from idolchat_characters.errors import CardRefused
from idolchat_characters.problems import Findings

__all__ = ["mend_object", "parse_object"]

MAX_INTEGER_DIGITS = 4000
MAX_SHOWN_KEY_LENGTH = 40
LONE: Final = re.compile("[\ud800-\udfff]")
ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


class _Constant:
    """``NaN`` or ``Infinity``, which Python reads and JSON does not have."""

    def __init__(self, name: str) -> None:
        self.name = name


def parse_object(content: bytes, place: str, *, limits: CardLimits, findings: Findings) -> JsonObject:
    """Read a JSON object of UTF-8 text.

    A byte order mark, bytes that are not UTF-8, lone surrogates and numbers too large for a double are accepted with
    a warning. Raises ``CardRefused`` for all else that RFC 8259 does not allow, and for what exceeds the limits.
    """
    _check_size(content, place, limits)
    text = _decoded(content, place, findings)
    try:
        value = json.loads(text, parse_constant=_Constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise CardRefused(_syntax_error(error), place=place) from error
    except RecursionError as error:
        raise CardRefused(f"is nested more than {limits.json_depth} levels deep", place=place) from error
    if not isinstance(value, dict):
        raise CardRefused("is JSON, but no object: a card begins with {", place=place)
    has_surrogates = ESCAPED_SURROGATE.search(content) is not None
    _Cleaning(place, limits.json_depth, findings, has_surrogates=has_surrogates).clean(value, "", 1)
    return cast(JsonObject, value)


def _check_size(content: bytes, place: str, limits: CardLimits) -> None:
    if len(content) > limits.json_bytes:
        found = f"holds {len(content):,} bytes of JSON; at most {limits.json_bytes:,} are read"
        raise CardRefused(f"{found}: keep images in a CHARX file", place=place)
    values = content.count(b",") + content.count(b"[") + content.count(b"{")
    if values > limits.json_values:
        raise CardRefused(f"holds more than {limits.json_values:,} values: shorten it", place=place)


def _decoded(content: bytes, place: str, findings: Findings) -> str:
    if content.startswith(codecs.BOM_UTF8):
        findings.warn(place, "begins with a byte order mark, which is left out")
        content = content[len(codecs.BOM_UTF8) :]
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise CardRefused("is UTF-16 text: save it as UTF-8", place=place) from error
        findings.warn(place, f"is not UTF-8 from byte {error.start} on; what cannot be read became U+FFFD")
        return content.decode(errors="replace")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)


def _syntax_error(error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno} column {error.colno}"
    text, at = error.doc, error.pos
    before = text[max(at - 100, 0) : at].rstrip()
    if text[at : at + 1] == "," or (text[at : at + 1] in ("}", "]") and before.endswith(",")):
        return f"is no JSON: there is a comma too many at {where}; remove it"
    return f"is no JSON: {error.msg} at {where}; correct it there, or export the card anew"


def mend_object(value: dict[str, object], place: str, *, limits: CardLimits, findings: Findings) -> None:
    """Mend in place an object that another reader of JSON has read, as ``parse_object`` does.

    Raises ``CardRefused`` where it is nested too deep.
    """
    _Cleaning(place, limits.json_depth, findings, has_surrogates=True).clean(value, "", 1)


class _Cleaning:
    """One walk through what was parsed; mends in place, and recurses no deeper than the limit."""

    def __init__(self, place: str, max_depth: int, findings: Findings, *, has_surrogates: bool) -> None:
        self._place = place
        self._max_depth = max_depth
        self._findings = findings
        self._has_surrogates = has_surrogates

    def clean(self, value: dict[str, object] | list[object], path: str, depth: int) -> None:
        if depth > self._max_depth:
            raise CardRefused(f"is nested more than {self._max_depth} levels deep", place=path or self._place)
        if isinstance(value, dict):
            if self._has_surrogates:
                self._clean_keys(value, path)
            for key, child in value.items():
                self._clean_child(value, key, child, path, depth)
        else:
            for index, child in enumerate(value):
                self._clean_child(value, index, child, path, depth)

    def _clean_child(
        self, parent: dict[str, object] | list[object], key: str | int, child: object, path: str, depth: int
    ) -> None:
        if isinstance(child, dict | list):
            self.clean(child, _join(path, key), depth + 1)
        elif isinstance(child, str):
            if self._has_surrogates and LONE.search(child):
                self._replace(parent, key, _without_surrogates(child))
                self._findings.warn(_join(path, key), "holds half a surrogate pair, which became U+FFFD")
        elif isinstance(child, float) and math.isinf(child):
            self._replace(parent, key, None)
            self._findings.warn(_join(path, key), "is a number too large to read, and became null")
        elif isinstance(child, _Constant):
            message = f"is {child.name}, which JSON does not have: write a number or null"
            raise CardRefused(message, place=_join(path, key))

    def _clean_keys(self, value: dict[str, object], path: str) -> None:
        if not any(map(LONE.search, value)):
            return
        members = list(value.items())
        value.clear()
        for key, child in members:
            clean = _without_surrogates(key)
            while clean in value:
                clean += "\ufffd"
            value[clean] = child
        self._findings.warn(path or self._place, "has a field whose name holds half a surrogate pair, now U+FFFD")

    def _replace(self, parent: dict[str, object] | list[object], key: str | int, value: JsonValue) -> None:
        cast(dict[str | int, object], parent)[key] = value


def _without_surrogates(text: str) -> str:
    """Replace half surrogate pairs; ``re.sub`` would hold an object for each of them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _join(path: str, key: str | int) -> str:
    short = str(key)[:MAX_SHOWN_KEY_LENGTH]  # or a long key above many values would be copied for each of them
    return f"{path}.{short}" if path else short
