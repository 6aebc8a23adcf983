"""Full-text search over messages: what a query means, which texts match it, and what is shown of them.

A query is words and "quoted phrases", all of which a message must hold, in any order. Case and accents do not matter.
A word is found as a whole word; ``concert*`` finds words that begin so. Scripts that put no blanks between words
(Chinese, Japanese, Korean, Thai and others) are found anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from idolchat_core.errors import InvalidRequest
from idolchat_core.models import Message, StoredId, UtcTime

__all__ = ["Query", "SearchHit", "SearchResults", "Term", "cursor", "place", "text_of", "tokens_of"]

_DENSE = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Scripts without blanks between words; Hangul is among them, for its words come with endings."""
_INDIC = "\u0900-\u0963\u0966-\u0dff"
"""Here vowel signs are marks, which do not count as letters elsewhere."""
_LETTER = re.compile(f"[^\\W_{_DENSE}]|[{_INDIC}]")
_GAP = re.compile(f"(?:(?![{_DENSE}{_INDIC}])[\\W_])*")
"""Characters that are in no run; vowel signs, too, match ``\\W``."""
_RUNS = re.compile(f"(?P<dense>[{_DENSE}]+)|((?:[^\\W_{_DENSE}]+|[{_INDIC}]+)+)")
_ASCII = bytes(
    code if code > 127 else ord(one.lower()) if (one := chr(code)).isalnum() else ord(" ") for code in range(256)
)
"""By the code of an ASCII character: it in lower case where it is in a word, else a blank; other bytes as they are."""
_TERMS = re.compile(r'"([^"]*)"?|([^\s"]+)')
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f]")
_BEFORE, _AFTER = 40, 80
"""Characters of a snippet around the first match."""


class SearchHit(BaseModel):
    """A message that matches: where it is, and what is shown of it.

    ``position`` counts from 0 in its conversation. ``matches`` are the ranges of ``snippet`` that
    match, in characters.
    """

    model_config = ConfigDict(frozen=True)

    conversation_id: UUID
    user_id: StoredId | None = None
    character_id: StoredId | None = None
    message_id: StoredId
    position: int
    role: str
    timestamp: UtcTime
    snippet: str
    matches: tuple[tuple[int, int], ...]


class SearchResults(BaseModel):
    """Messages that match, newest first; ``next`` is the ``before`` of the following page, null at the end."""

    model_config = ConfigDict(frozen=True)

    data: Sequence[SearchHit]
    next: str | None = None


class Run(NamedTuple):
    """Characters that stand together: a word, or what is written in scripts without blanks."""

    text: str
    is_dense: bool


class Term(NamedTuple):
    """What must stand together in a text: tokens as ``tokens_of`` gives them; the last may be a beginning only.

    It is no regular expression: to compile one with these classes takes longer than to search a thousand texts.
    """

    tokens: tuple[str, ...]
    is_beginning: bool
    runs: tuple[Run, ...]

    def spans(self, folded: str) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each place in a folded text where it stands, without overlaps."""
        first = self.runs[0].text
        start = folded.find(first)
        while start >= 0:
            end = self._end(folded, start)
            if end:
                yield start, end
            start = folded.find(first, end or start + 1)

    def _end(self, folded: str, start: int) -> int:
        """Return where it ends that begins here; 0 if it does not stand here."""
        first, last = self.runs[0], self.runs[-1]
        if start and not first.is_dense and _LETTER.match(folded, start - 1):
            return 0
        end = start + len(first.text)
        for before, run in pairwise(self.runs):
            gap = _GAP.match(folded, end)
            next_start = gap.end() if gap else end
            # Two words, or two runs of dense scripts, are two because something stands between them.
            if (next_start == end and before.is_dense == run.is_dense) or not folded.startswith(run.text, next_start):
                return 0
            end = next_start + len(run.text)
        goes_on = not last.is_dense and not self.is_beginning and _LETTER.match(folded, end)
        return 0 if goes_on else end


class Query:
    """A query, read. Raises ``InvalidRequest`` for one without any word."""

    def __init__(self, text: str) -> None:
        self.terms = tuple(_terms(text))
        if not self.terms:
            raise InvalidRequest("the query holds no word to search for", param="text")

    def show(self, text: str) -> tuple[str, tuple[tuple[int, int], ...]] | None:
        """Return a snippet of a text around its first match, and the ranges in it that match; None if it does not."""
        text = unicodedata.normalize("NFC", text)
        folded, origin = _folded_with_origin(text)
        found: list[tuple[int, int]] = []
        for term in self.terms:
            spans = list(term.spans(folded))
            if not spans:
                return None
            found += [(origin[start], origin[end - 1] + 1) for start, end in spans]
        return _snippet(text, _joined(found))


def tokens_of(text: str) -> list[str]:
    """Return the tokens of a text in order, for an index: words, and of dense scripts every character and every pair.

    A term's tokens stand next to each other in those of every text that it matches.
    """
    words = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass").translate(_ASCII)
    pieces = words.decode("utf-8", "surrogatepass").split()
    if text.isascii():
        return pieces
    tokens: list[str] = []
    for piece in pieces:
        if piece.isascii():  # so are most words in many languages, and the others take ten times as long
            tokens.append(piece)
        else:
            tokens += _tokens_of_runs(piece.translate(_FOLDS))
    return tokens


def _tokens_of_runs(folded: str) -> list[str]:
    tokens: list[str] = []
    for dense, word in _RUNS.findall(folded):
        if word:
            tokens.append(word)
        else:
            tokens += [token for first, second in pairwise(dense) for token in (first, first + second)]
            tokens.append(dense[-1])
    return tokens


def text_of(message: Message) -> str:
    """Return what is said in a message, without what is not text."""
    content = message.content
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in content or ()]
    return "\n".join(part for part in parts if isinstance(part, str))


def cursor(hit: SearchHit) -> str:
    """Name the place behind a hit, for ``before``."""
    return f"{hit.timestamp.isoformat()}~{hit.conversation_id}~{hit.position}"


def place(before: str) -> tuple[datetime, UUID, int]:
    """Read what ``cursor`` gave. Raises ``InvalidRequest``."""
    time, _, rest = before.partition("~")
    conversation_id, _, position = rest.partition("~")
    try:
        return datetime.fromisoformat(time).astimezone(UTC), UUID(conversation_id), int(position)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("before is not the `next` of a page of this search", param="before") from error


def _terms(text: str) -> Iterator[Term]:
    for quoted, word in _TERMS.findall(text):
        runs = list(_RUNS.finditer(_folded(unicodedata.normalize("NFC", quoted or word))))
        if runs:
            yield _term(runs, is_beginning=word.endswith("*") and runs[-1]["dense"] is None)


def _term(runs: Sequence[re.Match[str]], *, is_beginning: bool) -> Term:
    tokens: list[str] = []
    for number, run in enumerate(runs):
        tokens += _query_tokens(run, goes_on=number + 1 < len(runs), follows=number > 0)
    return Term(tuple(tokens), is_beginning, tuple(Run(run[0], run["dense"] is not None) for run in runs))


def _query_tokens(run: re.Match[str], *, goes_on: bool, follows: bool) -> list[str]:
    """Return the tokens that a run is found by; its neighbours in the text may be of the same script."""
    text = run[0]
    if run["dense"] is None:
        return [text]
    whole = tokens_of(text)
    if len(text) == 1:
        return whole
    return whole[0 if follows else 1 : None if goes_on else -1]


class _Folds(dict[int, str]):
    """Every character as it is compared: without case, accents, and differences of width; made when first met."""

    def __missing__(self, code: int) -> str:
        plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", chr(code)))
        folded = unicodedata.normalize("NFC", plain.casefold())
        self[code] = folded
        return folded


_FOLDS = _Folds()


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_FOLDS)


def _folded_with_origin(text: str) -> tuple[str, Sequence[int]]:
    """Fold a text, and return with each character of the result where it came from."""
    if text.isascii():
        return text.lower(), range(len(text))
    pieces = [_FOLDS[ord(character)] for character in text]
    return "".join(pieces), [number for number, piece in enumerate(pieces) for _ in piece]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def _snippet(text: str, matches: Sequence[tuple[int, int]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    start = max(matches[0][0] - _BEFORE, 0)
    end = min(max(matches[0][1], matches[0][0] + _AFTER), len(text))
    head, tail = "…" if start else "", "…" if end < len(text) else ""
    moved = len(head) - start
    shown = tuple((first + moved, min(last, end) + moved) for first, last in matches if first < end)
    return head + text[start:end] + tail, shown
