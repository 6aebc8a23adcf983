"""What every index of memory must do: a pytest class to run by overriding its fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest

from idolchat_core import InvalidRequest
from idolchat_memory.contract import MemoryIndex, MemoryMessage, MemoryScope, Role, ScopeReader
from idolchat_memory.terms import terms_of

__all__ = ["MemoryIndexConformance", "Snapshot", "a_message", "snapshot"]

MORNING = datetime(2026, 3, 1, 9, tzinfo=UTC)
SCOPE, OTHER = MemoryScope(user_id="mia", character_id="yui"), MemoryScope(user_id="ben", character_id="yui")
TALK = UUID(int=1)
Reopen = Callable[[], AbstractAsyncContextManager[MemoryIndex]]


class Snapshot(NamedTuple):
    """All that can be read of a scope, without the numbers that an index chooses itself."""

    messages: Sequence[tuple[UUID, MemoryMessage, int]]
    """Conversation, message, and how many places of its session come before; in order of place by conversation."""
    postings: frozenset[tuple[str, str, int, int]]
    """Term, message id, count, length."""
    session_lengths: Sequence[int]
    counts: tuple[int, int, int]


def snapshot(reader: ScopeReader) -> Snapshot:
    """Read all of a scope; two indexes that hold the same give equal ones."""
    places = reader.places_between(datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC), limit=1_000_000)
    rows = sorted(reader.rows(places).values(), key=lambda row: (row.conversation_id, row.place))
    firsts: dict[int, int] = {}
    for row in rows:
        firsts.setdefault(row.session, row.place)
    ids = {row.place: row.message.message_id for row in rows}
    terms = {term for row in rows for term in terms_of(row.message.text)}
    postings = {
        (term, ids[place], count, length)
        for term in terms
        for place, _, count, length in reader.postings(term, limit=1_000_000)
    }
    lengths = reader.session_lengths(firsts)
    return Snapshot(
        messages=[(row.conversation_id, row.message, row.place - firsts[row.session]) for row in rows],
        postings=frozenset(postings),
        session_lengths=[lengths[session] for session in firsts],
        counts=reader.statistics(),
    )


def a_message(text: str, position: int = 0, *, message_id: str | None = None, minutes: float = 0) -> MemoryMessage:
    """Make a message, said some minutes after the first morning."""
    role: Role = "assistant" if position % 2 else "user"
    said_at = MORNING + timedelta(minutes=minutes or position)
    return MemoryMessage(message_id or str(uuid4()), position, role, "", said_at, text)


def some_messages(*texts: str) -> list[MemoryMessage]:
    """Make messages that follow each other by a minute."""
    return [a_message(text, position) for position, text in enumerate(texts)]


def ids_of(messages: Iterable[MemoryMessage]) -> list[str]:
    """List the ids of messages."""
    return [message.message_id for message in messages]


async def found(index: MemoryIndex, term: str, scope: MemoryScope = SCOPE) -> set[str]:
    """Find the ids of the messages with a term."""

    def look(reader: ScopeReader) -> set[str]:
        rows = reader.rows(place for place, *_ in reader.postings(term, limit=1000))
        return set(ids_of(row.message for row in rows.values()))

    return await index.read(scope, look)


async def active(index: MemoryIndex, scope: MemoryScope = SCOPE) -> list[str]:
    """List the ids of the active messages of a scope."""
    return ids_of(message for _, message, _ in (await index.read(scope, snapshot)).messages)


@pytest.mark.asyncio
class MemoryIndexConformance:
    """The contract of ``MemoryIndex``, as tests.

    Override the fixture ``index``, and ``reopen`` unless ``persistent`` is set to False.
    """

    persistent = True

    @pytest.fixture
    def index(self) -> MemoryIndex:
        """Give an empty index, open, that is closed after the test."""
        raise NotImplementedError("override the fixture `index` with one that yields an empty, open index")

    @pytest.fixture
    def reopen(self) -> Reopen:
        """Give a function that opens the index of this test once more."""
        raise NotImplementedError("override the fixture `reopen`, or set `persistent = False` if that is how it is")

    async def test_a_message_is_found_by_its_terms(self, index: MemoryIndex) -> None:
        messages = some_messages("My dog is called Biscuit", "What a lovely name")

        assert await index.append(SCOPE, TALK, messages, revision=1)

        assert await found(index, "biscuit") == {messages[0].message_id}
        assert await found(index, "name") == {messages[1].message_id}
        assert await index.verify() == []

    async def test_a_message_comes_back_unchanged(self, index: MemoryIndex) -> None:
        message = MemoryMessage(
            "no uuid \u2603", 7, "user", "Mia \u00e9", MORNING, "ねこ 고양이 \U0001f431 \x00 ''; --"
        )

        await index.append(SCOPE, TALK, [message], revision=1)

        assert (await index.read(SCOPE, snapshot)).messages == [(TALK, message, 0)]

    async def test_a_revision_that_is_not_newer_changes_nothing(self, index: MemoryIndex) -> None:
        await index.append(SCOPE, TALK, some_messages("apple"), revision=5)
        before = await index.read(SCOPE, snapshot)

        taken = [
            await index.append(SCOPE, TALK, some_messages("pear"), revision=5),
            await index.replace(SCOPE, TALK, some_messages("pear"), revision=4),
            await index.set_active_branch(SCOPE, TALK, [], revision=1),
        ]

        assert taken == [False, False, False]
        assert await index.read(SCOPE, snapshot) == before

    async def test_what_is_known_tells_where_to_go_on(self, index: MemoryIndex) -> None:
        messages = some_messages("apple", "pear")
        await index.append(SCOPE, TALK, messages, revision=3)

        known = await index.known(SCOPE, TALK)

        assert known == (3, 2, messages[1].message_id)
        assert await index.known(OTHER, TALK) is None
        assert await index.known(SCOPE, UUID(int=2)) is None

    async def test_appending_bit_by_bit_is_the_same_as_at_once(self, index: MemoryIndex) -> None:
        messages = some_messages("apple", "pear tart", "apple pie")
        for revision, message in enumerate(messages, 1):
            await index.append(SCOPE, TALK, [message], revision=revision)

        await index.replace(OTHER, TALK, messages, revision=1)

        assert await index.read(SCOPE, snapshot) == await index.read(OTHER, snapshot)

    async def test_a_replaced_conversation_holds_nothing_else(self, index: MemoryIndex) -> None:
        old, new = some_messages("apple", "pear"), some_messages("cherry")
        await index.replace(SCOPE, TALK, old, inactive=some_messages("plum"), revision=1)

        await index.replace(SCOPE, TALK, new, revision=2)

        assert await active(index) == ids_of(new)
        assert await found(index, "appl") == set()
        assert (await index.stats(SCOPE)).inactive_messages == 0
        assert await index.verify() == []

    async def test_only_the_active_branch_is_found(self, index: MemoryIndex) -> None:
        question, first, second = some_messages("dinner", "pizza", "curry")
        await index.replace(SCOPE, TALK, [question, first], inactive=[second], revision=1)
        assert await found(index, "curri") == set()

        await index.set_active_branch(SCOPE, TALK, ids_of([question, second]), revision=2)

        assert await active(index) == ids_of([question, second])
        assert await found(index, "pizza") == set()
        assert (await index.stats(SCOPE)).inactive_messages == 1
        assert await index.verify() == []

    async def test_a_branch_of_unknown_messages_is_refused_and_nothing_changes(self, index: MemoryIndex) -> None:
        messages = some_messages("apple")
        await index.append(SCOPE, TALK, messages, revision=1)

        with pytest.raises(InvalidRequest, match="knows no message nobody"):
            await index.set_active_branch(SCOPE, TALK, ["nobody"], revision=2)

        assert await active(index) == ids_of(messages)
        assert not await index.set_active_branch(SCOPE, UUID(int=9), [], revision=2)

    async def test_a_deleted_message_is_gone_and_its_neighbours_meet(self, index: MemoryIndex) -> None:
        first, second, third = some_messages("apple", "pear", "plum")
        await index.append(SCOPE, TALK, [first, second, third], revision=1)

        await index.delete_message(SCOPE, TALK, second.message_id)

        rest = await index.read(SCOPE, snapshot)
        assert [(message, place) for _, message, place in rest.messages] == [(first, 0), (third, 1)]
        assert await found(index, "pear") == set()
        assert await index.verify() == []

    async def test_a_deleted_inactive_message_cannot_be_chosen(self, index: MemoryIndex) -> None:
        first, second = some_messages("apple", "pear")
        await index.replace(SCOPE, TALK, [first], inactive=[second], revision=1)

        await index.delete_message(SCOPE, TALK, second.message_id)

        with pytest.raises(InvalidRequest):
            await index.set_active_branch(SCOPE, TALK, [second.message_id], revision=2)

    async def test_a_deleted_conversation_is_gone_and_others_stay(self, index: MemoryIndex) -> None:
        kept = some_messages("apple")
        await index.append(SCOPE, TALK, some_messages("pear"), revision=1)
        await index.append(SCOPE, UUID(int=2), kept, revision=1)

        await index.delete_conversation(SCOPE, TALK)

        assert await active(index) == ids_of(kept)
        assert await index.known(SCOPE, TALK) is None
        assert await index.verify() == []

    async def test_a_deleted_user_is_gone_with_all_characters_and_others_stay(self, index: MemoryIndex) -> None:
        elsewhere = MemoryScope(user_id="mia", character_id="rin")
        for scope in (SCOPE, elsewhere, OTHER):
            await index.append(scope, TALK, some_messages("apple"), revision=1)
        before = await index.read(OTHER, snapshot)

        await index.delete_user("mia")

        assert [await active(index, scope) for scope in (SCOPE, elsewhere)] == [[], []]
        assert await index.read(OTHER, snapshot) == before
        assert (await index.stats()).scopes == 1
        assert await index.verify() == []

    async def test_a_deleted_scope_is_gone_and_the_user_s_others_stay(self, index: MemoryIndex) -> None:
        elsewhere = MemoryScope(user_id="mia", character_id="rin")
        for scope in (SCOPE, elsewhere):
            await index.append(scope, TALK, some_messages("apple"), revision=1)

        await index.delete_scope(SCOPE)

        assert await active(index) == []
        assert len(await active(index, elsewhere)) == 1

    @pytest.mark.parametrize("other", [{}, {"user_id": "mia"}, {"character_id": "yui"}, {"user_id": ""}])
    async def test_no_id_is_a_scope_of_its_own(self, index: MemoryIndex, other: dict[str, str]) -> None:
        await index.append(SCOPE, TALK, some_messages("apple"), revision=1)

        assert await found(index, "appl", MemoryScope.model_validate(other)) == set()

    async def test_an_id_is_the_same_as_a_uuid_and_as_text(self, index: MemoryIndex) -> None:
        user_id = uuid4()
        messages = some_messages("apple")
        await index.append(MemoryScope.model_validate({"user_id": user_id}), TALK, messages, revision=1)

        assert await active(index, MemoryScope(user_id=str(user_id))) == ids_of(messages)

    async def test_a_pause_of_more_than_six_hours_begins_a_session(self, index: MemoryIndex) -> None:
        minutes = [1, 2, 2 + 6 * 60, 3 + 12 * 60]
        messages = [a_message("apple", position, minutes=at) for position, at in enumerate(minutes)]

        await index.append(SCOPE, TALK, messages, revision=1)

        seen = await index.read(SCOPE, snapshot)
        assert [place for _, _, place in seen.messages] == [0, 1, 2, 0]
        assert seen.counts == (4, 2, 4)

    async def test_messages_of_a_time_come_newest_first(self, index: MemoryIndex) -> None:
        messages = some_messages("a", "b", "c", "d")
        await index.append(SCOPE, TALK, messages, revision=1)
        start, end = messages[1].said_at, messages[3].said_at

        def said(reader: ScopeReader) -> list[str]:
            places = reader.places_between(start, end, limit=10)
            rows = reader.rows(places)
            return [rows[place].message.text for place in places]

        assert await index.read(SCOPE, said) == ["c", "b"]

    async def test_the_newest_occurrences_of_a_term_are_read(self, index: MemoryIndex) -> None:
        messages = some_messages("apple one", "apple two", "apple three")
        await index.append(SCOPE, TALK, messages, revision=1)

        def newest(reader: ScopeReader) -> list[str]:
            places = [place for place, *_ in reader.postings("appl", limit=2)]
            rows = reader.rows(places)
            return [rows[place].message.text for place in places]

        assert await index.read(SCOPE, newest) == ["apple three", "apple two"]

    async def test_vectors_are_kept_until_their_message_goes(self, index: MemoryIndex) -> None:
        messages = some_messages("apple", "pear")
        await index.append(SCOPE, TALK, messages, revision=1)
        waiting = await index.unencoded("one", limit=10)
        assert [(one.text, one.text_before) for one in waiting] == [("apple", ""), ("pear", "apple")]

        await index.put_vectors("one", [(waiting[0], b"v0"), (waiting[1], b"v1")])

        places = [one.place for one in waiting]
        assert await index.read(SCOPE, lambda reader: dict(reader.vectors(places, "one"))) == dict(
            zip(places, (b"v0", b"v1"), strict=True)
        )
        assert await index.read(OTHER, lambda reader: dict(reader.vectors(places, "one"))) == {}
        assert await index.unencoded("one", limit=10) == []
        await index.delete_message(SCOPE, TALK, messages[1].message_id)
        assert (await index.stats()).encoded_messages == 1
        assert await index.verify() == []

    async def test_vectors_of_another_encoding_are_made_anew(self, index: MemoryIndex) -> None:
        await index.append(SCOPE, TALK, some_messages("apple"), revision=1)
        [waiting] = await index.unencoded("one", limit=10)
        await index.put_vectors("one", [(waiting, b"old")])

        again = await index.unencoded("two", limit=10)

        assert again == [waiting]
        assert await index.read(SCOPE, lambda reader: dict(reader.vectors([waiting.place], "one"))) == {}

    async def test_vectors_of_a_message_that_went_meanwhile_are_dropped(self, index: MemoryIndex) -> None:
        await index.append(SCOPE, TALK, some_messages("apple"), revision=1)
        waiting = await index.unencoded("one", limit=10)
        await index.replace(SCOPE, TALK, some_messages("pear"), revision=2)

        await index.put_vectors("one", [(one, b"v") for one in waiting])

        assert (await index.stats()).encoded_messages == 0
        assert len(await index.unencoded("one", limit=10)) == 1

    async def test_everything_is_there_after_reopening(self, index: MemoryIndex, reopen: Reopen) -> None:
        if not self.persistent:
            pytest.skip("this index keeps nothing")
        await index.replace(SCOPE, TALK, some_messages("apple"), inactive=some_messages("pear"), revision=1)
        before = await index.read(SCOPE, snapshot)

        async with reopen() as again:
            assert await again.read(SCOPE, snapshot) == before
            assert (await again.stats())[:4] == (1, 1, 1, 1)
