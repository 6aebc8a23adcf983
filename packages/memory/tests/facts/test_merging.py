"""Facts among the notes that there are."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from idolchat_core import new_id
from idolchat_memory.facts.merging import merged
from idolchat_memory.notes import Note, NoteSource
from idolchat_memory.notes.store import MAX_NOTES

START = datetime(2026, 3, 1, tzinfo=UTC)


def a_fact(text: str, *, day: int = 0, about: str | None = None, **more: Any) -> Note:
    said_at = START + timedelta(days=day)
    source = NoteSource(conversation_id=uuid4(), message_id=text, quote=text)
    fields = {"written_by": "model", "sources": (source,), "about": about, "said_at": said_at, **more}
    return Note(id=new_id(), text=text, created_at=said_at, updated_at=said_at, **fields)


def test_a_fact_that_is_taken_in_twice_is_there_once() -> None:
    fact = a_fact("The user loves tea")

    assert merged(merged((), [fact]), [fact]) == (fact,)


def test_the_same_said_again_rests_on_both_messages() -> None:
    old, again = a_fact("The user loves green tea"), a_fact("The user loves green tea.", day=9)
    [note] = merged((old,), [again])

    assert (note.id, note.sources, note.said_at) == (old.id, (*old.sources, *again.sources), again.said_at)


def test_of_one_matter_the_newer_statement_holds_in_whatever_order_they_come() -> None:
    old, new = a_fact("The user is vegetarian", about="diet"), a_fact("The user eats steak", day=9, about="diet")
    for facts in ([old, new], [new, old]):
        notes = {note.id: note for note in merged((), facts)}
        assert notes[old.id].superseded_by == new.id
        assert notes[new.id].is_current


def test_no_model_supersedes_what_a_person_wrote() -> None:
    mine = a_fact("I am vegetarian", about="diet", written_by="user", sources=())
    notes = merged((mine,), [a_fact("The user eats steak", day=9, about="diet")])

    assert notes[0] == mine
    assert len(notes) == 2


def test_where_there_is_no_room_a_superseded_fact_goes_first() -> None:
    old, new = a_fact("The user is vegetarian", about="diet"), a_fact("The user eats steak", day=9, about="diet")
    full = (*merged((), [old, new]), *(a_fact(f"item{number} word{number}") for number in range(MAX_NOTES - 2)))
    notes = merged(full, [a_fact("The user has a dog"), a_fact("The user has a tortoise")])

    assert len(notes) == MAX_NOTES
    assert old.id not in {note.id for note in notes}
    assert [note.text for note in notes][-1] == "The user has a dog"
