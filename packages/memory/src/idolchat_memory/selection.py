"""What of the ranked messages is worth its tokens: above a floor, nothing twice, newer before older, within a budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from idolchat_memory.ranking import Candidate
from idolchat_memory.terms import terms_of

__all__ = ["Selection", "above_floor", "newer_first", "select"]

_DUPLICATE, _SAME_MATTER = 0.8, 0.4
"""Shares of common terms (Jaccard): above the first two messages say the same, from the second on of the same thing."""
_NUMBERS = re.compile(r"\d+")
_WINDOW = 50
"""So many of the best are compared with each other."""


class Selection(NamedTuple):
    """What to show of each other, and why the rest is not: too many tokens, or said again later."""

    chosen: Sequence[Candidate]
    tokens: float
    duplicates: int
    over_budget: int


class _Content(NamedTuple):
    candidate: Candidate
    terms: frozenset[str]
    numbers: frozenset[str]


def above_floor(candidates: Sequence[Candidate], floor: float) -> list[Candidate]:
    """Leave out those whose relevance is below the floor."""
    return [candidate for candidate in candidates if candidate.relevance >= floor]


def newer_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Give the places of statements of one speaker on one matter to the newer of them first; all stay."""
    result = list(candidates)
    contents = [_content(candidate) for candidate in result[:_WINDOW]]
    for group in _groups(contents):
        newest_first = sorted((contents[at].candidate for at in group), key=_said_at, reverse=True)
        for at, candidate in zip(group, newest_first, strict=True):
            result[at] = candidate
    return result


def select(
    candidates: Sequence[Candidate], *, budget_tokens: float, size: Callable[[Candidate], float]
) -> Selection:
    """Choose the best that fit, without saying anything twice; a statement never without the newer one on its matter."""
    chosen: list[_Content] = []
    too_big: list[_Content] = []
    used, duplicates = 0.0, 0
    for candidate in candidates:
        content = _content(candidate)
        if any(_repeats(content, other) for other in chosen):
            duplicates += 1
            continue
        tokens = size(candidate)
        superseded = any(_is_on_one_matter(content, other) and _is_newer(other, content) for other in too_big)
        if superseded or used + tokens > budget_tokens:
            too_big.append(content)
            continue
        chosen.append(content)
        used += tokens
    return Selection([content.candidate for content in chosen], used, duplicates, len(too_big))


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


def _content(candidate: Candidate) -> _Content:
    text = candidate.row.message.text
    return _Content(candidate, frozenset(terms_of(text)), frozenset(_NUMBERS.findall(text)))


def _repeats(one: _Content, other: _Content) -> bool:
    """Whether two messages say the same; a date or number that differs is something else that is said."""
    return _share(one, other) > _DUPLICATE and one.numbers == other.numbers


def _is_on_one_matter(one: _Content, other: _Content) -> bool:
    same_speaker = one.candidate.row.message.role == other.candidate.row.message.role
    return same_speaker and _share(one, other) >= _SAME_MATTER


def _is_newer(one: _Content, other: _Content) -> bool:
    return _said_at(one.candidate) > _said_at(other.candidate)


def _said_at(candidate: Candidate) -> tuple[float, int]:
    return candidate.row.message.said_at.timestamp(), candidate.row.place


def _share(one: _Content, other: _Content) -> float:
    together = len(one.terms | other.terms)
    return len(one.terms & other.terms) / together if together else float(one.terms == other.terms)
