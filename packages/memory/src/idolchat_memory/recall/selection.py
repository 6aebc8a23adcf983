"""What of the ranked messages is worth its tokens: nothing twice, newer before older, within a budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from idolchat_core import MemoryRow, MemoryScope
from idolchat_memory.recall.ranking import Candidate
from idolchat_memory.terms import term_set

__all__ = ["Found", "Selection", "keep_relevant", "newer_first", "select"]

_DUPLICATE, _SAME_MATTER = 0.8, 0.4
"""Shares of common terms (Jaccard): above the first two messages say the same, from the second on of the same thing."""
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

    @cached_property
    def term_count(self) -> int:
        return len(self.terms)

    @cached_property
    def terms(self) -> frozenset[str]:
        return term_set(self.row.message.text)

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(_NUMBERS.findall(self.row.message.text))

    @property
    def is_question(self) -> bool:
        return self.row.message.text.rstrip().endswith(("?", "\uff1f"))

    @property
    def said_at(self) -> tuple[datetime, int]:
        return self.row.message.said_at, self.row.place


class Selection(NamedTuple):
    """What to show, and how many tokens that takes; how many others say the same, and how many did not fit."""

    chosen: Sequence[Found]
    tokens: float
    duplicates: int
    over_budget: int


def keep_relevant(found: Sequence[Found], least: float) -> list[Found]:
    """Leave out what is less relevant than ``least``, but not what is newer on the matter of something that stays."""
    relevant = [one for one in found[:_COMPARED] if one.candidate.relevance >= least]
    return [
        one
        for number, one in enumerate(found)
        if one.candidate.relevance >= least
        or (number < _COMPARED and any(_supersedes(one, other) for other in relevant))
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
        if any(_repeats(one, other) for other in chosen):
            duplicates += 1
            continue
        tokens = size(one)
        is_superseded = any(_supersedes(other, one) for other in left_out)
        if not is_superseded and used + tokens <= budget_tokens:
            chosen.append(one)
            used += tokens
            continue
        left_out.append(one)
        if len(left_out) == _PATIENCE:
            break
    return Selection(chosen, used, duplicates, len(left_out))


def _groups(found: Sequence[Found]) -> list[list[int]]:
    """Group the positions of those on one matter; only groups of several."""
    groups: list[list[int]] = []
    for at, one in enumerate(found):
        for group in groups:
            if _is_on_one_matter(found[group[0]], one):
                group.append(at)
                break
        else:
            groups.append([at])
    return [group for group in groups if len(group) > 1]


def _repeats(one: Found, other: Found) -> bool:
    """Whether two messages say the same; a date or number that differs is something else that is said."""
    return _share(one, other, _DUPLICATE) > _DUPLICATE and one.numbers == other.numbers


def _supersedes(one: Found, other: Found) -> bool:
    return _is_on_one_matter(one, other) and one.said_at > other.said_at


def _is_on_one_matter(one: Found, other: Found) -> bool:
    return one.role == other.role and _share(one, other, _SAME_MATTER) >= _SAME_MATTER


def _share(one: Found, other: Found, least: float) -> float:
    """Return the share of common terms; 0 where their numbers alone show that it is less than ``least``."""
    count, others = one.term_count, other.term_count
    if count < least * others or others < least * count:
        return 0.0
    common = len(one.terms & other.terms)
    together = count + others - common
    return common / together if together else 1.0
