"""What of the ranked messages is worth its tokens: nothing twice, newer before older, within a budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from idolchat_core import MemoryRow, MemoryScope
from idolchat_memory.recall.ranking import Candidate
from idolchat_memory.terms import distinct_terms

__all__ = ["Found", "Selection", "compare", "keep_relevant", "newer_first", "select"]

_DUPLICATE, _SAME_MATTER = 0.8, 0.4
"""Shares of common terms (Jaccard): above the first two messages say the same, from the second on of the same thing."""
_NO_TERM = ("",)
"""Stands for the terms of a text without any."""
_NUMBERS = re.compile(r"\d+")
_COMPARED = 20
"""So many of the best are brought into order by their time."""
_PATIENCE = 8
"""After so many that do not fit any more, the search for one that does is over."""


class Found:
    """A candidate and its message, with what of it is compared with others."""

    def __init__(self, candidate: Candidate, row: MemoryRow, scope: MemoryScope, matched: tuple[str, ...]) -> None:
        self.candidate = candidate
        self.row = row
        self.scope = scope
        self.matched = matched
        self.role = row.message.role
        self.said_at = row.message.said_at, row.place
        self.terms = distinct_terms(row.message.text)
        self.like: dict[int, float] = {}
        """By the ``id`` of those on the same matter, as ``compare`` found them, the share of common terms."""

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(_NUMBERS.findall(self.row.message.text))

    @property
    def is_question(self) -> bool:
        return self.row.message.text.rstrip().endswith(("?", "\uff1f"))


class Selection(NamedTuple):
    """What to show, and how many tokens that takes; how many others say the same, and how many did not fit."""

    chosen: Sequence[Found]
    tokens: float
    duplicates: int
    over_budget: int


def compare(found: Sequence[Found]) -> None:
    """Find which of all these are on the same matter."""
    for one in found:
        one.like = {}
    held = [(frozenset(one.terms or _NO_TERM), one) for one in found]
    for (mine, one), (theirs, other) in combinations(held, 2):
        common = len(mine & theirs)
        if common and (share := common / (len(mine) + len(theirs) - common)) >= _SAME_MATTER:
            one.like[id(other)] = other.like[id(one)] = share


def keep_relevant(found: Sequence[Found], least: float) -> list[Found]:
    """Leave out what is less relevant than ``least``, but not what is newer on the matter of something that stays."""
    relevant = [one for one in found[:_COMPARED] if one.candidate.relevance >= least]
    return [
        one
        for number, one in enumerate(found)
        if one.candidate.relevance >= least
        or (number < _COMPARED and any(_supersedes(one, other) for other in _like(one, relevant)))
    ]


def newer_first(found: Sequence[Found]) -> list[Found]:
    """Order one speaker's statements on one matter among their places, the newest first; all stay."""
    result = list(found)
    for group in _groups(result[:_COMPARED]):
        newest_first = sorted((result[at] for at in group), key=lambda one: one.said_at, reverse=True)
        for at, one in zip(group, newest_first, strict=True):
            result[at] = one
    return result


def select(found: Iterable[Found], *, budget_tokens: float, size: Callable[[Found], float]) -> Selection:
    """Choose the best that fit, nothing twice, and no statement without the newer one on its matter."""
    chosen: list[Found] = []
    left_out: list[Found] = []
    used, duplicates = 0.0, 0
    for one in found:
        if any(_repeats(one, other) for other in _like(one, chosen)):
            duplicates += 1
            continue
        tokens = size(one)
        is_superseded = any(_supersedes(other, one) for other in _like(one, left_out))
        if not is_superseded and used + tokens <= budget_tokens:
            chosen.append(one)
            used += tokens
            continue
        left_out.append(one)
        if len(left_out) == _PATIENCE:
            break
    return Selection(chosen, used, duplicates, len(left_out))


def _groups(found: Sequence[Found]) -> list[list[int]]:
    """Group the positions of those on one matter, by what each shares with the first; only groups of several."""
    groups: list[list[int]] = []
    firsts: list[Found] = []
    for at, one in enumerate(found):
        first = next((other for other in _like(one, firsts) if other.role == one.role), None)
        if first is None:
            firsts.append(one)
            groups.append([at])
        else:
            groups[firsts.index(first)].append(at)
    return [group for group in groups if len(group) > 1]


def _like(one: Found, others: Iterable[Found]) -> Iterable[Found]:
    """Return those of some that are on the same matter as one: mostly none is."""
    return [other for other in others if id(other) in one.like] if one.like else ()


def _repeats(one: Found, other: Found) -> bool:
    """Whether two messages on one matter say the same; a date or number that differs is something else."""
    return one.like[id(other)] > _DUPLICATE and one.numbers == other.numbers


def _supersedes(one: Found, other: Found) -> bool:
    """Whether one of two messages on one matter is newer, and from the same speaker."""
    return one.role == other.role and one.said_at > other.said_at
