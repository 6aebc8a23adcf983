"""Which notes are recalled: those that share words with what was just said, and what holds in their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import log
from uuid import UUID

from idolchat_memory.notes.note import Note
from idolchat_memory.terms import distinct_terms, terms_of

__all__ = ["recalled"]

COMMON, COMMON_SHARE = 3, 0.25
"""A word that more notes have than so many, and than this share of them, calls for none."""
SAME_MATTER = 0.4
"""The share of common terms (Jaccard) from which on two notes are on one matter."""


def recalled(notes: Sequence[Note], text: str) -> list[Note]:
    """Return the notes that a text calls for, the best first; of one matter, the newest statement first.

    A superseded note never stands without the one that holds in its place.
    """
    wanted = set(terms_of(text))
    terms = {note.id: distinct_terms(note.text) for note in notes}
    counts = Counter(term for found in terms.values() for term in wanted.intersection(found))
    if not counts:
        return []
    most = max(COMMON, COMMON_SHARE * len(notes))
    weights = {term: log(1 + len(notes) / count) for term, count in counts.items() if count <= most}
    scores = {one: sum(weights.get(term, 0.0) for term in wanted.intersection(found)) for one, found in terms.items()}
    best = sorted((note for note in notes if scores[note.id] > 0), key=lambda note: -scores[note.id])
    return _newest_first(list(_with_current(best, {note.id: note for note in notes})))


def _with_current(found: Sequence[Note], notes: dict[UUID, Note]) -> Iterator[Note]:
    """Put what holds now before what it supersedes, each note once."""
    seen: set[UUID] = set()
    for note in found:
        chain = _chain(note, notes)
        if not chain[0].is_current:  # what holds in its place is pinned, and stands elsewhere
            continue
        for one in chain:
            if one.id not in seen:
                seen.add(one.id)
                yield one


def _chain(note: Note, notes: dict[UUID, Note]) -> list[Note]:
    """Return a note behind those that supersede it, the newest first."""
    chain = [note]
    while (by := chain[0].superseded_by) is not None and by in notes:
        chain.insert(0, notes[by])
    return chain


def _newest_first(notes: list[Note]) -> list[Note]:
    """Order notes on one matter among their places, the newest first."""
    for at, one in enumerate(notes):
        group = [at, *(other for other in range(at + 1, len(notes)) if _is_on_one_matter(one, notes[other]))]
        newest = sorted((notes[place] for place in group), key=lambda note: note.said_at, reverse=True)
        for place, note in zip(group, newest, strict=True):
            notes[place] = note
    return notes


def _is_on_one_matter(one: Note, other: Note) -> bool:
    mine, theirs = set(distinct_terms(one.text)), set(distinct_terms(other.text))
    return len(mine & theirs) >= SAME_MATTER * len(mine | theirs)
