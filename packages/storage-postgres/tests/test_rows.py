"""What is stored comes back byte for byte, and every text is found by its words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idolchat_core import Conversation, ConversationDamaged, ConversationFilter, Message, document
from idolchat_core.testing import a_conversation, a_message
from idolchat_storage_postgres.rows import id_of, stored_id
from idolchat_storage_postgres.storage import PostgresStorage
from idolchat_storage_postgres.testing import PostgresServer

texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
times = st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001
extras: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.text("abcxyz", min_size=3, max_size=5), json_values, max_size=3
)
ids = st.uuids() | st.text(min_size=1, max_size=20)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Draw a conversation of any ids, times, texts and unknown fields."""
    said: list[Message] = [
        a_message(draw(texts), id=draw(ids), timestamp=draw(times), **draw(extras))
        for _ in range(draw(st.integers(0, 3)))
    ]
    fields: dict[str, Any] = draw(extras)
    has_head: bool = draw(st.booleans())
    if said and has_head:
        fields["head"] = said[0].id
    if draw(st.booleans()):
        fields["character_ids"] = draw(st.lists(ids, max_size=3))
    return a_conversation(
        messages=tuple(said),
        created_at=draw(times),
        updated_at=draw(times),
        user_id=draw(st.none() | ids),
        character_id=draw(st.none() | ids),
        **fields,
    )


@given(ids.map(str) | st.text("\\x\0a", max_size=5))
def test_an_id_comes_back_and_two_stay_two(text: str) -> None:
    stored = stored_id(text)

    assert "\0" not in stored
    assert id_of(stored) == text
    assert stored_id(stored) != stored or stored == text


@given(conversation=conversations(), other=conversations())
@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40)
async def test_any_conversation_comes_back_as_core_writes_it(
    storage: PostgresStorage, conversation: Conversation, other: Conversation
) -> None:
    data = document.encode(conversation)
    stored = document.decode(data, conversation.id)
    await storage.create(conversation)

    read = await storage.read_document(conversation.id)
    assert json.loads(read) == json.loads(data)
    assert read.split(b"\n")[:-1] == data.split(b"\n")[:-1]
    assert await storage.read(conversation.id) == stored
    page = await storage.read_page(conversation.id, limit=2)
    assert page.conversation.messages == stored.messages[-2:]
    await storage.put_document(conversation.id, read)
    assert await storage.read_document(conversation.id) == read
    await storage.put(other.model_copy(update={"id": conversation.id}))
    assert (await storage.read(conversation.id)).messages == document.decode(document.encode(other), other.id).messages
    await storage.delete(conversation.id)


@pytest.mark.parametrize("user", ["", "a\0b", "\\x61", "ann@example.org", "初音", "a b", "'; drop table x; --", "\\"])
async def test_any_name_of_a_user_is_one_s_own(storage: PostgresStorage, user: str) -> None:
    mine = a_conversation("sing", user_id=user, character_id=user)
    await storage.create(mine)
    await storage.create(a_conversation("sing", user_id="a", character_id="a"))
    matching = ConversationFilter(user_id=user, character_id=user)

    assert [one.user_id for one in (await storage.list(matching)).data] == [user]
    assert [hit.conversation_id for hit in (await storage.search("sing", matching)).data] == [mine.id]
    assert (await storage.stats(matching)).conversations == 1


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("x" * 10_000 + " end", "x" * 10_000),
        ("x" * 10_000 + " end", "xxx*"),
        ("初音" * 5_000 + " end", "音初"),
        (" ".join(f"{number:08}" for number in range(200_000)), "00199999"),
        (" ".join(f"{number:08}" for number in range(200_000)), '"00000100 00000101"'),
    ],
    ids=["long word", "its beginning", "dense", "too many words", "a phrase among them"],
)
async def test_a_text_of_any_length_is_found(storage: PostgresStorage, text: str, query: str) -> None:
    conversation = a_conversation("short", text)
    await storage.create(conversation)

    assert [hit.position for hit in (await storage.search(query)).data] == [1]
    assert (await storage.search("nowhere")).data == []


async def test_a_rare_phrase_of_frequent_words_is_found_behind_many_others(storage: PostgresStorage) -> None:
    wanted = a_conversation("we sing and dance", after_s=-1)
    await storage.create(wanted)
    await storage.create(a_conversation(*(f"dance and sing {number}" for number in range(3000))))

    assert [hit.conversation_id for hit in (await storage.search('"sing and dance"')).data] == [wanted.id]


async def test_rows_that_are_missing_are_told_and_nothing_is_made_up(
    storage: PostgresStorage, server: PostgresServer, database_url: str
) -> None:
    conversation = a_conversation("one", "two", "three")
    await storage.create(conversation)
    lost = f"delete from idolchat.messages where conversation_id = '{conversation.id}' and position = 1"  # noqa: S608
    server.query(lost, database=database_url.rpartition("/")[2])

    read = await storage.read(conversation.id)
    assert (read.status, [message.content for message in read.messages]) == ("damaged", ["one", "three"])
    with pytest.raises(ConversationDamaged):
        await storage.read_document(conversation.id)
    [verdict] = [one async for one in storage.verify()]
    assert [issue.code for issue in verdict.issues] == ["damaged"]
    repair = await storage.repair(conversation.id)
    assert repair.kept_as is not None
    assert [one.issues async for one in storage.verify()] == [()]
    assert [message.content for message in (await storage.read(conversation.id)).messages] == ["one", "three"]


async def test_words_that_disagree_are_found_and_made_anew(
    storage: PostgresStorage, server: PostgresServer, database_url: str
) -> None:
    conversation = a_conversation("one", "two words")
    await storage.create(conversation)
    spoilt = "update idolchat.messages set words = 'other', user_id = 'other' where position = 1"
    server.query(spoilt, database=database_url.rpartition("/")[2])

    [verdict] = [one async for one in storage.verify()]
    assert [(issue.code, issue.position) for issue in verdict.issues] == [("index", 1)]
    assert [done async for done in storage.reindex()] == [1]
    assert [one.issues async for one in storage.verify()] == [()]
    assert len((await storage.search("words")).data) == 1
