"""Taking facts into the notes that there are: the same one once, and of one matter the newer one holds."""

from __future__ import annotations

from collections.abc import Sequence

from idolchat_memory.notes import MAX_SOURCES, Note
from idolchat_memory.notes.store import MAX_NOTES, Notes
from idolchat_memory.terms import terms_of

__all__ = ["merged"]

SAME = 0.8
"""The share of common terms (Jaccard) from which on two facts are one."""


def merged(notes: Notes, facts: Sequence[Note]) -> Notes:
    """Return notes with facts taken in; those that are there already change nothing.

    A fact that is there in other words rests on its new message too. One about a matter of which a model has noted
    something supersedes that, or is superseded where it was said earlier; what a person wrote, no model supersedes.
    Where there is no room for more, the oldest superseded facts go; where there are none, no fact is taken in.
    """
    found = list(notes)
    for fact in facts:
        if any(note.id == fact.id for note in found):
            continue
        same = next((at for at, note in enumerate(found) if note.is_current and _is_same(note, fact)), None)
        if same is not None:
            found[same] = _resting_on_both(found[same], fact)
            continue
        if len(found) >= MAX_NOTES and not _make_room(found):
            break
        _take_in(found, fact)
    return tuple(found)


def _take_in(found: list[Note], fact: Note) -> None:
    for at, note in enumerate(found):
        if note.is_current and note.written_by == "model" and fact.about is not None and note.about == fact.about:
            if note.said_at > fact.said_at:
                fact = fact.model_copy(update={"superseded_by": note.id})
            else:
                found[at] = note.model_copy(update={"superseded_by": fact.id})
            break
    found.append(fact)


def _make_room(found: list[Note]) -> bool:
    oldest = next((note for note in found if not note.is_current and note.written_by == "model"), None)
    if oldest is None or any(note.superseded_by == oldest.id for note in found):
        return False
    found.remove(oldest)
    return True


def _resting_on_both(note: Note, fact: Note) -> Note:
    if not note.sources:  # a person's own word rests on nothing
        return note
    sources = tuple(dict.fromkeys((*note.sources, *fact.sources)))[:MAX_SOURCES]
    return note.model_copy(update={"sources": sources, "said_at": max(note.said_at, fact.said_at)})


def _is_same(note: Note, fact: Note) -> bool:
    mine, theirs = set(terms_of(note.text)), set(terms_of(fact.text))
    return bool(mine) and len(mine & theirs) > SAME * len(mine | theirs) and _numbers(note) == _numbers(fact)


def _numbers(note: Note) -> set[str]:
    return {term for term in terms_of(note.text) if term.isdigit()}
