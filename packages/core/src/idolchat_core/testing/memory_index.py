"""What every index of memory must do: a pytest class to run by overriding its fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest

from idolchat_core.search import tokens_of
from idolchat_core.storage.memory_index import (
    FOLLOWS_QUESTION,
    IS_OF_CHARACTER,
    IS_QUESTION,
    TRAIT_BITS,
    WEIGHT_BITS,
    MemoryIndex,
    MemoryMessage,
    MemoryScope,
    MessageTraits,
    Posting,
    ScopeReader,
    Speaker,
    TextAnalysis,
    posting_of,
    traits_of,
)

__all__ = ["PLAIN_WORDS", "MemoryIndexConformance", "MemorySnapshot", "a_memory", "memory_snapshot"]

PLAIN_WORDS = TextAnalysis("plain-words", tokens_of)
"""The analysis that the index under test is to be opened with."""

MORNING = datetime(2026, 3, 1, 9, tzinfo=UTC)
SCOPE, OTHER = MemoryScope(user_id="mia", character_id="yui"), MemoryScope(user_id="ben", character_id="yui")
TALK = UUID(int=1)
OpenIndex = Callable[[], AbstractAsyncContextManager[MemoryIndex]]


class MemorySnapshot(NamedTuple):
    """All that can be read of a scope, without the numbers that an index chooses itself."""

    messages: Sequence[tuple[UUID, MemoryMessage, int]]
    """Conversation, message, and how many places of its session come before; in order of place by conversation."""
    postings: frozenset[tuple[str, str, int]]
    """Term, message id, and what a posting says beside its place."""
    session_lengths: Sequence[int]
    counts: tuple[int, int, int]


def memory_snapshot(reader: ScopeReader, analysis: TextAnalysis = PLAIN_WORDS) -> MemorySnapshot:
    """Read all of a scope; two indexes that hold the same give equal ones."""
    rows = sorted(reader.rows(_all_places(reader)).values(), key=lambda row: (row.conversation_id, row.place))
    firsts: dict[int, int] = {}
    for row in rows:
        firsts.setdefault(row.session, row.place)
    ids = {row.place: row.message.message_id for row in rows}
    terms = {term for row in rows for term in analysis.terms_of(row.message.text)}
    postings = {
        (term, ids[posting >> WEIGHT_BITS], posting & (1 << WEIGHT_BITS) - 1)
        for term, found in reader.postings(sorted(terms), limit=1_000_000).items()
        for posting in found
    }
    lengths = reader.session_lengths(firsts)
    return MemorySnapshot(
        messages=[(row.conversation_id, row.message, row.place - firsts[row.session]) for row in rows],
        postings=frozenset(postings),
        session_lengths=[lengths[session] for session in firsts],
        counts=reader.statistics(),
    )


def _all_places(reader: ScopeReader) -> Sequence[int]:
    return reader.places_between(datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC), limit=1_000_000)


def a_memory(text: str, position: int = 0, *, message_id: str | None = None, minutes: float = 0) -> MemoryMessage:
    """Make a message, said some minutes after the first morning."""
    role: Speaker = "assistant" if position % 2 else "user"
    said_at = MORNING + timedelta(minutes=minutes or position)
    return MemoryMessage(message_id or str(uuid4()), position, role, "", said_at, text)


def some_messages(*texts: str) -> list[MemoryMessage]:
    """Make messages that follow each other by a minute."""
    return [a_memory(text, position) for position, text in enumerate(texts)]


def ids_of(messages: Iterable[MemoryMessage]) -> list[str]:
    """List the ids of messages."""
    return [message.message_id for message in messages]


async def found(index: MemoryIndex, term: str, scope: MemoryScope = SCOPE) -> set[str]:
    """Find the ids of the messages with a term."""

    def look(reader: ScopeReader) -> set[str]:
        rows = reader.rows(posting >> WEIGHT_BITS for posting in reader.postings([term], limit=1000).get(term, ()))
        return set(ids_of(row.message for row in rows.values()))

    return await index.read(scope, look)


async def held(index: MemoryIndex, scope: MemoryScope = SCOPE) -> list[str]:
    """List the ids of the messages of a scope."""
    return ids_of(message for _, message, _ in (await index.read(scope, memory_snapshot)).messages)


@pytest.mark.asyncio
class MemoryIndexConformance:
    """The contract of ``MemoryIndex``, as tests.

    Override the fixture ``index``, and ``reopen`` unless ``persistent`` is set to False. Both open it with the
    analysis ``PLAIN_WORDS``.
    """

    persistent = True

    @pytest.fixture
    def index(self) -> MemoryIndex:
        """Yield an empty, open index, which is closed after the test."""
        raise NotImplementedError("override the fixture `index` with one that yields an empty, open index")

    @pytest.fixture
    def reopen(self) -> OpenIndex:
        """Return a function that opens the index of this test once more."""
        raise NotImplementedError("override the fixture `reopen`, or set `persistent = False` if that is how it is")

    async def test_a_message_is_found_by_its_terms(self, index: MemoryIndex) -> None:
        messages = some_messages("My dog is called Biscuit", "What a lovely name")

        await index.replace(SCOPE, TALK, messages, revision="1")

        assert await found(index, "biscuit") == {messages[0].message_id}
        assert await found(index, "name") == {messages[1].message_id}
        assert await index.verify() == []

    async def test_a_message_comes_back_unchanged(self, index: MemoryIndex) -> None:
        message = MemoryMessage(
            "no uuid \u2603", 7, "user", "Mia \u00e9", MORNING, "ねこ 고양이 \U0001f431 \x00 ''; --"
        )

        await index.replace(SCOPE, TALK, [message], revision="1")

        assert (await index.read(SCOPE, memory_snapshot)).messages == [(TALK, message, 0)]

    async def test_what_is_known_tells_where_to_go_on(self, index: MemoryIndex) -> None:
        messages = some_messages("apple", "pear")
        await index.replace(SCOPE, TALK, messages, revision="3f")

        assert await index.known(TALK) == (SCOPE, "3f", messages[1].message_id)
        rows = await index.read(SCOPE, lambda reader: reader.rows(_all_places(reader)))
        assert [(row.conversation_id, row.revision) for row in rows.values()] == [(TALK, "3f")] * 2
        assert await index.known(UUID(int=2)) is None
        assert await index.conversations() == {TALK: "3f"}

    async def test_a_conversation_without_messages_is_known_and_its_scope_is_empty(self, index: MemoryIndex) -> None:
        await index.replace(SCOPE, TALK, [], revision="1")

        assert await index.known(TALK) == (SCOPE, "1", None)
        assert await index.scopes_of("mia", limit=10) == []

    async def test_going_on_bit_by_bit_is_the_same_as_at_once(self, index: MemoryIndex) -> None:
        messages = some_messages("apple", "pear tart", "apple pie", "a pear")
        await index.replace(SCOPE, TALK, messages[:1], revision="1")
        for before, message in pairwise(messages):
            assert await index.extend(TALK, [message], after=before.message_id, revision=message.message_id)

        await index.replace(OTHER, UUID(int=2), messages, revision="1")

        (_, *mine), (_, *others) = [await index.read(scope, memory_snapshot) for scope in (SCOPE, OTHER)]
        assert mine == others
        assert await index.known(TALK) == (SCOPE, messages[-1].message_id, messages[-1].message_id)

    async def test_what_stood_where_a_branch_goes_on_is_forgotten(self, index: MemoryIndex) -> None:
        question, first, second = some_messages("dinner", "pizza", "curry")
        await index.replace(SCOPE, TALK, [question, first], revision="1")

        assert await index.extend(TALK, [second], after=question.message_id, revision="2")

        assert await held(index) == ids_of([question, second])
        assert await found(index, "pizza") == set()
        assert await index.verify() == []

    async def test_a_branch_may_be_cut_and_many_sessions_with_it(self, index: MemoryIndex) -> None:
        messages = [a_memory(f"apple {hour}", hour, minutes=1 + 60 * hour) for hour in range(0, 80, 4)]
        await index.replace(SCOPE, TALK, messages, revision="1")

        assert await index.extend(TALK, [], after=messages[2].message_id, revision="2")

        assert await held(index) == ids_of(messages[:3])
        assert await index.verify() == []

    async def test_where_a_branch_cannot_go_on_nothing_changes(self, index: MemoryIndex) -> None:
        messages = some_messages("apple")
        await index.replace(SCOPE, TALK, messages, revision="1")

        assert not await index.extend(TALK, some_messages("pear"), after="nobody", revision="2")
        assert not await index.extend(UUID(int=9), some_messages("pear"), after=messages[0].message_id, revision="2")
        assert await index.known(TALK) == (SCOPE, "1", messages[0].message_id)
        assert await index.known(UUID(int=9)) is None

    async def test_a_replaced_conversation_holds_nothing_else(self, index: MemoryIndex) -> None:
        old, new = some_messages("apple", "pear"), some_messages("cherry")
        await index.replace(SCOPE, TALK, old, revision="1")

        await index.replace(SCOPE, TALK, new, revision="2")

        assert await held(index) == ids_of(new)
        assert await found(index, "apple") == set()
        assert (await index.stats(SCOPE)).messages == 1
        assert await index.verify() == []

    async def test_a_conversation_that_becomes_another_user_s_is_theirs_alone(self, index: MemoryIndex) -> None:
        messages = some_messages("apple")
        await index.replace(SCOPE, TALK, messages, revision="1")

        await index.replace(OTHER, TALK, messages, revision="2")

        assert await held(index, SCOPE) == []
        assert await held(index, OTHER) == ids_of(messages)
        assert await index.scopes_of("mia", limit=10) == []
        assert await index.verify() == []

    async def test_what_is_left_of_a_conversation_meets(self, index: MemoryIndex) -> None:
        first, second, third = some_messages("apple", "pear", "plum")
        await index.replace(SCOPE, TALK, [first, second, third], revision="1")

        await index.replace(SCOPE, TALK, [first, third], revision="2")

        rest = await index.read(SCOPE, memory_snapshot)
        assert [(message, place) for _, message, place in rest.messages] == [(first, 0), (third, 1)]
        assert await found(index, "pear") == set()
        assert await index.verify() == []

    async def test_a_deleted_conversation_is_gone_and_others_stay(self, index: MemoryIndex) -> None:
        kept = some_messages("apple")
        await index.replace(SCOPE, TALK, some_messages("pear"), revision="1")
        await index.replace(SCOPE, UUID(int=2), kept, revision="1")

        await index.delete_conversation(TALK)
        await index.delete_conversation(TALK)

        assert await held(index) == ids_of(kept)
        assert await index.known(TALK) is None
        assert set(await index.conversations()) == {UUID(int=2)}
        assert await index.verify() == []

    async def test_a_deleted_user_is_gone_with_all_characters_and_others_stay(self, index: MemoryIndex) -> None:
        elsewhere = MemoryScope(user_id="mia", character_id="rin")
        for number, scope in enumerate((SCOPE, elsewhere, OTHER)):
            await index.replace(scope, UUID(int=number), some_messages("apple"), revision="1")
        before = await index.read(OTHER, memory_snapshot)

        assert await index.delete_user("mia") == 2

        assert [await held(index, scope) for scope in (SCOPE, elsewhere)] == [[], []]
        assert await index.read(OTHER, memory_snapshot) == before
        assert (await index.stats()).scopes == 1
        assert await index.verify() == []

    async def test_a_cleared_index_holds_nothing_and_takes_everything_anew(self, index: MemoryIndex) -> None:
        messages = some_messages("apple")
        for number, scope in enumerate((SCOPE, OTHER)):
            await index.replace(scope, UUID(int=number), messages, revision="1")

        await index.clear()

        assert await index.conversations() == {}
        assert (await index.stats())[:4] == (0, 0, 0, 0)
        await index.replace(SCOPE, TALK, messages, revision="1")
        assert await held(index) == ids_of(messages)

    @pytest.mark.parametrize("other", [{}, {"user_id": "mia"}, {"character_id": "yui"}, {"user_id": ""}])
    async def test_no_id_is_a_scope_of_its_own(self, index: MemoryIndex, other: dict[str, str]) -> None:
        await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")

        assert await found(index, "apple", MemoryScope.model_validate(other)) == set()

    async def test_an_id_is_the_same_as_a_uuid_and_as_text(self, index: MemoryIndex) -> None:
        user_id = uuid4()
        messages = some_messages("apple")
        await index.replace(MemoryScope.model_validate({"user_id": user_id}), TALK, messages, revision="1")

        assert await held(index, MemoryScope(user_id=str(user_id))) == ids_of(messages)

    async def test_the_scopes_of_a_user_come_last_used_first(self, index: MemoryIndex) -> None:
        scopes = [MemoryScope(user_id="mia", character_id=name) for name in ("yui", "rin", None)]
        for minutes, scope in enumerate((*scopes, OTHER, MemoryScope())):
            message = a_memory("apple", minutes=1 + minutes)
            await index.replace(scope, UUID(int=minutes), [message], revision="1")

        assert await index.scopes_of("mia", limit=2) == [scopes[2], scopes[1]]
        assert await index.scopes_of(None, limit=2) == [MemoryScope()]

    async def test_a_scope_that_holds_something_never_counts_as_empty(self, index: MemoryIndex) -> None:
        await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")

        assert not index.is_empty(SCOPE)

    async def test_a_pause_of_more_than_six_hours_begins_a_session(self, index: MemoryIndex) -> None:
        minutes = [1, 2, 2 + 6 * 60, 3 + 12 * 60]
        messages = [a_memory("apple", position, minutes=at) for position, at in enumerate(minutes)]

        await index.replace(SCOPE, TALK, messages, revision="1")

        seen = await index.read(SCOPE, memory_snapshot)
        assert [place for _, _, place in seen.messages] == [0, 1, 2, 0]
        assert seen.counts == (4, 2, 4)

    async def test_messages_of_a_time_come_newest_first(self, index: MemoryIndex) -> None:
        messages = some_messages("a", "b", "c", "d")
        await index.replace(SCOPE, TALK, messages, revision="1")
        start, end = messages[1].said_at, messages[3].said_at

        def said(reader: ScopeReader) -> list[str]:
            places = reader.places_between(start, end, limit=10)
            rows = reader.rows(places)
            return [rows[place].message.text for place in places]

        assert await index.read(SCOPE, said) == ["c", "b"]

    async def test_the_newest_occurrences_of_a_term_are_read(self, index: MemoryIndex) -> None:
        messages = some_messages("apple one", "apple two", "apple three")
        await index.replace(SCOPE, TALK, messages, revision="1")

        def newest(reader: ScopeReader) -> list[str]:
            found = reader.postings(["apple", "pear"], limit=2)
            assert found.keys() == {"apple"}
            places = [posting >> WEIGHT_BITS for posting in found["apple"]]
            rows = reader.rows(places)
            return [rows[place].message.text for place in places]

        assert await index.read(SCOPE, newest) == ["apple three", "apple two"]

    async def test_a_posting_tells_where_and_how_often_a_term_occurs(self, index: MemoryIndex) -> None:
        await index.replace(SCOPE, TALK, some_messages("pear", "apple and apple " + "pie " * 70_000), revision="1")

        def told(reader: ScopeReader) -> list[list[Posting]]:
            read = (reader.postings(["apple", "pie"], limit=9), reader.postings_of_many(["apple", "pie"], limit=9))
            return [[*found["apple"], *found["pie"]] for found in read]

        def wanted(reader: ScopeReader) -> list[Posting]:
            [place] = [place for place, row in reader.rows(_all_places(reader)).items() if row.message.position]
            return [posting_of(place, 70_003, 2), posting_of(place, 70_003, 70_000)]

        assert await index.read(SCOPE, told) == [await index.read(SCOPE, wanted)] * 2

    async def test_traits_tell_who_asked_and_who_answered_when(self, index: MemoryIndex) -> None:
        long_ago = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
        texts = ("apple?", "\u306f\u3044\uff1f ", "pear")
        messages = [
            message._replace(said_at=long_ago + position * timedelta(seconds=1))
            for position, message in enumerate(some_messages(*texts))
        ]
        await index.replace(SCOPE, TALK, messages, revision="1")

        def told(reader: ScopeReader) -> list[MessageTraits]:
            places = sorted(_all_places(reader))
            traits = reader.traits([*places, places[-1] + 1])
            assert sorted(traits) == places
            return [traits[place] for place in places]

        wanted = [traits_of(one, follows_question=at > 0) for at, one in enumerate(messages)]
        assert await index.read(SCOPE, told) == wanted
        assert [one & 7 for one in wanted] == [
            IS_QUESTION,
            IS_OF_CHARACTER | IS_QUESTION | FOLLOWS_QUESTION,
            FOLLOWS_QUESTION,
        ]
        assert wanted[0] >> TRAIT_BITS == -1

    async def test_of_a_term_that_is_said_often_the_newest_are_read(self, index: MemoryIndex) -> None:
        messages = [a_memory("apple", position) for position in range(300)]
        await index.replace(SCOPE, TALK, messages[:200], revision="1")
        for before, message in pairwise(messages[199:]):
            assert await index.extend(TALK, [message], after=before.message_id, revision=message.message_id)

        def newest(reader: ScopeReader) -> list[str]:
            places = [posting >> WEIGHT_BITS for posting in reader.postings(["apple"], limit=150)["apple"]]
            rows = reader.rows(places)
            return [rows[place].message.message_id for place in places]

        assert await index.read(SCOPE, newest) == ids_of(reversed(messages[150:]))
        await index.replace(SCOPE, TALK, [*messages[:100], *messages[103:250]], revision="2")
        assert await index.read(SCOPE, newest) == ids_of(reversed([*messages[97:100], *messages[103:250]]))
        assert await index.verify() == []

    async def test_vectors_are_kept_until_their_message_goes(self, index: MemoryIndex) -> None:
        messages = some_messages("apple", "pear")
        await index.replace(SCOPE, TALK, messages, revision="1")
        waiting = await index.unencoded("one", limit=10)
        assert [(one.text, one.text_before) for one in waiting] == [("apple", ""), ("pear", "apple")]

        await index.put_vectors("one", [(waiting[0], b"v0"), (waiting[1], b"v1")])

        places = [one.place for one in waiting]
        assert await index.read(SCOPE, lambda reader: dict(reader.vectors(places, "one"))) == dict(
            zip(places, (b"v0", b"v1"), strict=True)
        )
        assert await index.read(OTHER, lambda reader: dict(reader.vectors(places, "one"))) == {}
        assert await index.unencoded("one", limit=10) == []
        await index.replace(SCOPE, TALK, messages[:1], revision="2")
        assert (await index.stats()).encoded_messages == 1
        assert await index.verify() == []

    async def test_vectors_of_another_encoding_are_made_anew(self, index: MemoryIndex) -> None:
        await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")
        [waiting] = await index.unencoded("one", limit=10)
        await index.put_vectors("one", [(waiting, b"old")])

        again = await index.unencoded("two", limit=10)

        assert again == [waiting]
        assert await index.read(SCOPE, lambda reader: dict(reader.vectors([waiting.place], "one"))) == {}

    async def test_vectors_of_a_message_that_went_meanwhile_are_dropped(self, index: MemoryIndex) -> None:
        await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")
        waiting = await index.unencoded("one", limit=10)
        await index.replace(SCOPE, TALK, some_messages("pear"), revision="2")

        await index.put_vectors("one", [(one, b"v") for one in waiting])

        assert (await index.stats()).encoded_messages == 0
        assert len(await index.unencoded("one", limit=10)) == 1

    async def test_everything_is_there_after_reopening(self, index: MemoryIndex, reopen: OpenIndex) -> None:
        if not self.persistent:
            pytest.skip("this index keeps nothing")
        await index.replace(SCOPE, TALK, some_messages("apple"), revision="1")
        before = await index.read(SCOPE, memory_snapshot)

        async with reopen() as again:
            assert await again.read(SCOPE, memory_snapshot) == before
            assert (await again.stats())[:4] == (1, 1, 1, 0)
            assert not again.is_empty(SCOPE)
