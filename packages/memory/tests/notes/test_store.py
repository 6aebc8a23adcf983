"""What holds of notes whatever is done to them, by however many at once."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_core import InvalidRequest, Record, StorageUnavailable, new_id
from idolchat_core.testing import InMemoryStorage, LosesAnAnswer
from idolchat_memory.notes import Note, NoteScope, NoteSource, NoteStore
from idolchat_memory.notes.forgetting import forget_sources
from idolchat_memory.notes.store import FRESH_S

START = datetime(2026, 3, 1, tzinfo=UTC)
TALK = uuid4()


def a_note(text: str = "tea", *, user: str | None = "ana", character: str | None = None, **more: object) -> Note:
    fields = {"written_by": "user", "said_at": START, "created_at": START, "updated_at": START, **more}
    return Note.model_validate({"id": new_id(), "user_id": user, "character_id": character, "text": text, **fields})


def resting_on(*message_ids: str, **more: Any) -> Note:
    sources = [NoteSource(conversation_id=TALK, message_id=one) for one in message_ids]
    return a_note(" ".join(message_ids), sources=sources, **more)


@pytest.fixture
def store(storage: InMemoryStorage) -> NoteStore:
    return NoteStore(storage)


async def test_notes_added_at_once_are_all_there(store: NoteStore, storage: InMemoryStorage) -> None:
    other = NoteStore(storage)
    await asyncio.gather(*((store, other)[number % 2].add(a_note(str(number))) for number in range(8)))

    assert {note.text for note in await store.of_user("ana")} == set(map(str, range(8)))


async def test_of_two_that_supersede_one_note_one_is_refused(store: NoteStore) -> None:
    old = await store.add(a_note("vegetarian"))
    results = await asyncio.gather(
        *(store.add(a_note(text), supersedes=old.id) for text in ("steak", "fish")), return_exceptions=True
    )

    assert sum(isinstance(one, InvalidRequest) for one in results) == 1
    assert len([note for note in await store.of_user("ana") if note.is_current]) == 1


async def test_what_another_process_changes_is_seen_within_a_moment(storage: InMemoryStorage) -> None:
    now, scope = [0.0], NoteScope("ana", None)
    store = NoteStore(storage, clock=lambda: now[0])
    assert await store.in_scope(scope) == ()
    note = await NoteStore(storage).add(a_note())
    now[0] += FRESH_S

    assert await store.in_scope(scope) == (note,)


async def test_a_change_of_ones_own_hides_none_of_another_process(storage: InMemoryStorage) -> None:
    scope, other = NoteScope("ana", None), NoteStore(storage)
    store = NoteStore(storage, clock=lambda: 0.0)
    assert await store.in_scope(scope) == ()
    note = await other.add(a_note())
    await store.add(a_note(user="ben"))

    assert await store.in_scope(scope) == (note,)


class Counting(InMemoryStorage):
    """Counts what is read of records."""

    reads = 0

    async def read_record(self, namespace: str, name: str) -> Record | None:
        self.reads += 1
        return await super().read_record(namespace, name)

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        self.reads += 1
        return await super().get_record(namespace, name)


async def test_somebody_without_notes_costs_no_read_at_the_next_turn() -> None:
    storage = Counting()
    store = NoteStore(storage, clock=lambda: 0.0)
    await store.in_scope(NoteScope("ana", None))
    before = storage.reads
    await store.in_scope(NoteScope("ana", None))

    assert storage.reads == before > 0


async def test_erasing_a_user_leaves_the_records_of_others_as_they_are(
    store: NoteStore, storage: InMemoryStorage
) -> None:
    for user in ("ana", "ben", None):
        await store.add(a_note(user=user))
        await store.add(a_note(user=user, character="yui"))
    before = {name: await storage.get_record("notes", name) for name in await storage.list_records("notes")}
    await store.erase("ana")
    after = {name: await storage.get_record("notes", name) for name in await storage.list_records("notes")}

    assert await store.of_user("ana") == []
    assert len(after) == 4
    assert all(before[name] == value for name, value in after.items())


def test_a_note_goes_with_the_last_message_that_it_rests_on() -> None:
    notes = (resting_on("1"), resting_on("1", "2"), a_note("by hand"))
    left = forget_sources(notes, TALK, {"2"})

    assert [[one.message_id for one in note.sources] for note in left] == [["2"], []]


def test_what_a_forgotten_note_superseded_holds_again() -> None:
    newest = resting_on("3")
    middle = resting_on("2", superseded_by=newest.id)
    oldest = resting_on("1", superseded_by=middle.id)

    assert forget_sources((oldest, middle, newest), TALK, {"1", "3"})[0].superseded_by == newest.id
    assert forget_sources((oldest, middle, newest), TALK, {"1"})[0].is_current


@given(
    sources=st.lists(st.sets(st.sampled_from("abcd"), max_size=3), max_size=8),
    links=st.lists(st.integers(0, 7), max_size=8),
    there=st.sets(st.sampled_from("abcd")),
)
@settings(deadline=None)
def test_after_forgetting_nothing_rests_on_what_is_gone(
    sources: list[set[str]], links: list[int], there: set[str]
) -> None:
    notes = [resting_on(*sorted(ids)) for ids in sources]
    for at, link in enumerate(links[: len(notes)]):
        if at < link < len(notes):  # only a newer note supersedes
            notes[at] = notes[at].model_copy(update={"superseded_by": notes[link].id})
    left = forget_sources(tuple(notes), TALK, there)
    ids = {note.id for note in left}

    assert all(source.message_id in there for note in left for source in note.sources)
    assert all(note.superseded_by is None or note.superseded_by in ids for note in left)
    assert ids == {note.id for note, rests in zip(notes, sources, strict=True) if not rests or rests & there}


async def test_no_scope_reads_anothers_notes(store: NoteStore) -> None:
    scopes = [NoteScope(user, character) for user in ("ana", "ben", None) for character in ("yui", "rin", None)]
    for scope in scopes:
        note = a_note("the same", user=scope.user_id, character=scope.character_id)
        await store.add(note)
    found = {scope: [note.scope for note in await store.in_scope(scope)] for scope in scopes}

    assert found == {scope: [scope] for scope in scopes}


async def test_a_note_whose_deletion_was_not_answered_is_remembered_by_nobody() -> None:
    storage, scope, now = LosesAnAnswer(), NoteScope("ana", None), [0.0]
    store, other = NoteStore(storage), NoteStore(storage, clock=lambda: now[0])
    note = await store.add(a_note())
    assert await store.in_scope(scope) == await other.in_scope(scope) == (note,)
    storage.loses = "notes"
    with pytest.raises(StorageUnavailable):
        await store.delete(note)

    assert await store.in_scope(scope) == ()
    now[0] += FRESH_S
    assert await other.in_scope(scope) == ()
