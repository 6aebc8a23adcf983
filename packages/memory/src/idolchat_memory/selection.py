"""What of the ranked messages is worth its tokens: nothing twice, newer before older, within a budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from idolchat_memory.contract import MemoryRow
from idolchat_memory.ranking import Candidate
from idolchat_memory.terms import terms_of

__all__ = ["Found", "Selection", "keep_relevant", "newer_first", "select"]

_DUPLICATE, _SAME_MATTER = 0.8, 0.4
"""Shares of common terms (Jaccard): above the first two messages say the same, from the second on of the same thing."""
_NUMBERS = re.compile(r"\d+")
_COMPARED = 20
"""So many of the best are brought into order by their time."""
_PATIENCE = 8
"""After so many that do not fit any more, the search for one that does is over."""


class Found(NamedTuple):
    """A candidate and its message."""

    candidate: Candidate
    row: MemoryRow


class Selection(NamedTuple):
    """What to show, and how many tokens that takes; how many others say the same, and how many did not fit."""

    chosen: Sequence[Found]
    tokens: float
    duplicates: int
    over_budget: int


class _Content(NamedTuple):
    found: Found
    terms: frozenset[str]
    numbers: frozenset[str]


def keep_relevant(found: Sequence[Found], least: float) -> list[Found]:
    """Leave out what is less relevant than ``least``, but not what is newer on the matter of something that stays."""
    contents = [_content(one) for one in found[:_COMPARED] if one.candidate.relevance >= least]
    return [
        one
        for number, one in enumerate(found)
        if one.candidate.relevance >= least or (number < _COMPARED and _supersedes_any(one, contents))
    ]


def newer_first(found: Sequence[Found]) -> list[Found]:
    """Give the places of statements of one speaker on one matter to the newer of them first; all stay."""
    result = list(found)
    contents = [_content(one) for one in result[:_COMPARED]]
    for group in _groups(contents):
        newest_first = sorted((contents[at].found for at in group), key=_said_at, reverse=True)
        for at, one in zip(group, newest_first, strict=True):
            result[at] = one
    return result


def select(found: Iterable[Found], *, budget_tokens: float, size: Callable[[Found], float]) -> Selection:
    """Choose the best that fit, without saying anything twice; a statement never without the newer one on its matter."""
    chosen: list[_Content] = []
    left_out: list[_Content] = []
    used, duplicates = 0.0, 0
    for one in found:
        content = _content(one)
        if any(_repeats(content, other) for other in chosen):
            duplicates += 1
            continue
        tokens = size(one)
        superseded = any(_is_on_one_matter(content, other) and _is_newer(other, content) for other in left_out)
        if not superseded and used + tokens <= budget_tokens:
            chosen.append(content)
            used += tokens
            continue
        left_out.append(content)
        if len(left_out) == _PATIENCE:
            break
    return Selection([content.found for content in chosen], used, duplicates, len(left_out))


def _groups(contents: Sequence[_Content]) -> list[list[int]]:
    """Group the positions of those on one matter; only groups of several."""
    groups: list[list[int]] = []
    for at, content in enumerate(contents):
        for group in groups:
            if _is_on_one_matter(contents[group[0]], content):
                group.append(at)
                break
        else:
            groups.append([at])
    return [group for group in groups if len(group) > 1]


def _supersedes_any(one: Found, others: Sequence[_Content]) -> bool:
    content = _content(one)
    return any(_is_on_one_matter(content, other) and _is_newer(content, other) for other in others)


def _content(found: Found) -> _Content:
    text = found.row.message.text
    return _Content(found, frozenset(terms_of(text)), frozenset(_NUMBERS.findall(text)))


def _repeats(one: _Content, other: _Content) -> bool:
    """Whether two messages say the same; a date or number that differs is something else that is said."""
    return _share(one, other) > _DUPLICATE and one.numbers == other.numbers


def _is_on_one_matter(one: _Content, other: _Content) -> bool:
    same_speaker = one.found.row.message.role == other.found.row.message.role
    return same_speaker and _share(one, other) >= _SAME_MATTER


def _is_newer(one: _Content, other: _Content) -> bool:
    return _said_at(one.found) > _said_at(other.found)


def _said_at(found: Found) -> tuple[float, int]:
    return found.row.message.said_at.timestamp(), found.row.place


def _share(one: _Content, other: _Content) -> float:
    common = len(one.terms & other.terms)
    together = len(one.terms) + len(other.terms) - common
    return common / together if together else 1.0
