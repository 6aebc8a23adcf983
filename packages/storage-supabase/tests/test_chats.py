"""The table follows the objects, and is believed only when it does."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import pytest
from tests.support.mock_supabase.server import MockSupabase
from tests.support.mock_supabase.state import Fault

from idolchat_core import Conversation, ConversationFilter, document
from idolchat_core.testing import a_conversation, a_message
from idolchat_storage_supabase import directory
from idolchat_storage_supabase.storage import SupabaseStorage

type Open = Callable[..., AbstractAsyncContextManager[SupabaseStorage]]


async def test_a_row_is_what_the_document_says(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    conversation = a_conversation(user_id="ann")
    await storage.create(conversation)
    reply = a_message("one", role="assistant")
    await storage.append(conversation.id, [reply], expected_count=0, updated_at=conversation.updated_at)

    assert mock_supabase.state.rows
    row = mock_supabase.state.rows[str(conversation.id)]
    assert datetime.fromisoformat(row.pop("written_at")) >= mock_supabase.object(f"{conversation.id}.json").updated_at
    assert row == {
        "id": str(conversation.id),
        "user_id": "ann",
        "character_id": str(conversation.character_id),
        "created_at": "2025-06-01T12:00:00+00:00",
        "updated_at": "2025-06-01T12:00:00+00:00",
        "message_count": 1,
        "status": "ok",
        "character_ids": None,
    }


@pytest.mark.parametrize("is_of_earlier_version", [False, True])
async def test_a_page_is_one_query(
    open_storage: Open, mock_supabase: MockSupabase, *, is_of_earlier_version: bool
) -> None:
    if is_of_earlier_version:
        mock_supabase.state.remove_columns("created_at", "message_count", "status", "written_at", "character_ids")
    async with open_storage() as storage:
        await storage.put_documents({c.id: document.encode(c) for c in [a_conversation("x") for _ in range(120)]})
        listed = await storage.list(limit=100)
        async with asyncio.timeout(60):
            while mock_supabase.state.calls != {"GET /chats": 1}:  # until the table was compared with the bucket
                mock_supabase.state.calls.clear()
                listed = await storage.list(limit=100)

    assert len(listed.data) == 100


async def test_a_page_is_one_query_to_who_has_written_none_of_it(
    open_storage: Open, mock_supabase: MockSupabase
) -> None:
    async with open_storage() as storage:
        await storage.put_documents({c.id: document.encode(c) for c in [a_conversation("x") for _ in range(120)]})
    async with open_storage() as storage:
        listed = await storage.list(limit=100)

    assert {summary.message_count for summary in listed.data} == {1}
    assert mock_supabase.state.calls["GET /object/info"] <= 3  # the marker, before it was made, after, and anew


async def test_copies_share_calls_for_their_rows(open_storage: Open, mock_supabase: MockSupabase) -> None:
    async with open_storage() as storage:
        await storage.put_documents({c.id: document.encode(c) for c in [a_conversation("x") for _ in range(50)]})

    assert len(mock_supabase.state.rows or ()) == 50
    assert mock_supabase.state.calls["POST /chats"] <= 10


async def test_a_row_that_is_older_than_its_object_is_written_anew(
    open_storage: Open, mock_supabase: MockSupabase
) -> None:
    conversation = a_conversation("one")
    async with open_storage() as storage:
        await storage.create(conversation)
    rows, mock_supabase.state.rows = mock_supabase.state.rows, None
    async with open_storage() as storage:
        await add(storage, conversation)
    mock_supabase.state.rows = rows
    async with open_storage() as storage:
        assert [summary.message_count for summary in (await storage.list()).data] == [2]


async def test_a_row_goes_with_its_conversation(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    conversation = a_conversation("one")
    await storage.create(conversation)
    await storage.delete(conversation.id)

    assert mock_supabase.state.rows == {}


async def test_lists_are_read_from_the_table(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    mine = [a_conversation(user_id="ann", after_s=number) for number in range(3)]
    for conversation in (*mine, a_conversation(user_id="bob")):
        await storage.create(conversation)
    await storage.list()
    mock_supabase.state.calls.clear()
    listed = await storage.list(ConversationFilter(user_id="ann"))

    assert [summary.id for summary in listed.data] == [conversation.id for conversation in reversed(mine)]
    assert mock_supabase.state.calls["POST /object/list"] == 0


async def test_a_missing_table_is_told_once_with_the_sql(
    storage: SupabaseStorage, mock_supabase: MockSupabase, caplog: pytest.LogCaptureFixture
) -> None:
    mock_supabase.state.rows = None
    for number in range(3):
        await storage.create(a_conversation("x", after_s=number))
        assert len((await storage.list()).data) == number + 1

    [told] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "create table if not exists public.chats ( id uuid primary key," in told.getMessage()
    assert told.getMessage().isprintable()


async def test_a_table_that_comes_later_is_noticed_and_filled(
    open_storage: Open, mock_supabase: MockSupabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "ASK_AGAIN_S", 0)
    mock_supabase.state.rows = None
    conversations = [a_conversation("x", after_s=number) for number in range(20)]
    async with open_storage() as storage:
        for conversation in conversations:
            await storage.create(conversation)
        mock_supabase.state.rows = {}
        listed = await storage.list(limit=20)

        assert {summary.id for summary in listed.data} == {conversation.id for conversation in conversations}
        assert mock_supabase.state.rows.keys() == {str(conversation.id) for conversation in conversations}


async def test_a_table_with_missing_rows_is_not_believed(open_storage: Open, mock_supabase: MockSupabase) -> None:
    conversation = a_conversation("x")
    async with open_storage() as storage:
        await storage.create(conversation)
    mock_supabase.state.rows = {}
    async with open_storage() as storage:
        assert [summary.id for summary in (await storage.list()).data] == [conversation.id]
    assert mock_supabase.state.rows.keys() == {str(conversation.id)}


async def test_a_row_without_an_object_is_not_listed(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    kept, gone = a_conversation("x"), a_conversation("x", after_s=1)
    for conversation in (kept, gone):
        await storage.create(conversation)
        await storage.append(
            conversation.id,
            [a_message("two", role="assistant")],
            expected_count=1,
            updated_at=conversation.updated_at,
        )
    del mock_supabase.state.objects["conversations", f"{gone.id}.json"]

    listed = await storage.list(limit=1)
    assert ([summary.id for summary in listed.data], listed.next) == ([kept.id], None)


async def test_a_chat_goes_on_while_the_rest_interface_is_down(open_storage: Open, mock_supabase: MockSupabase) -> None:
    conversation = a_conversation("one")
    async with open_storage(retries=0) as storage:
        await storage.create(conversation)
        mock_supabase.fail_next(Fault.HTML, call="POST /chats")
        await add(storage, conversation)
        assert (await storage.list()).data[0].message_count == 2

    assert (mock_supabase.state.rows or {})[str(conversation.id)].items() >= {
        "user_id": str(conversation.user_id),
        "message_count": 2,
    }.items()


async def test_a_table_of_other_types_does_not_stop_a_chat(
    storage: SupabaseStorage, mock_supabase: MockSupabase, caplog: pytest.LogCaptureFixture
) -> None:
    mock_supabase.state.column_types["user_id"] = "uuid"
    bob, ann = a_conversation("x", user_id="bob"), a_conversation("x")
    await storage.create(bob)
    await storage.create(ann)

    assert {summary.id for summary in (await storage.list()).data} == {bob.id, ann.id}
    assert "idol supabase sql" in caplog.text


async def test_reindex_writes_the_rows_anew(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    conversation = a_conversation(user_id="ann")
    await storage.create(conversation)
    assert mock_supabase.state.rows
    mock_supabase.state.rows[str(conversation.id)]["user_id"] = "bob"

    assert [done async for done in storage.reindex()] == [1]
    assert mock_supabase.state.rows[str(conversation.id)]["user_id"] == "ann"


async def add(storage: SupabaseStorage, to: Conversation) -> None:
    await storage.append(to.id, [a_message("two")], expected_count=len(to.messages), updated_at=to.updated_at)


@pytest.mark.parametrize("name", ["rin", 'Rin "the, star"', "{rin}", "r\\in)", "凛, or"])
async def test_whatever_an_imported_character_is_called_its_groups_are_found(
    storage: SupabaseStorage, name: str
) -> None:
    group = a_conversation("sing", character_id="miku", character_ids=("miku", name))
    alone = a_conversation("sing", character_id=name, after_s=60)
    for conversation in (group, alone, a_conversation("sing")):
        await storage.create(conversation)
    first = await storage.list(ConversationFilter(character_id=name), limit=1)
    rest = await storage.list(ConversationFilter(character_id=name), limit=1, before=first.next)

    assert [summary.id for page in (first, rest) for summary in page.data] == [alone.id, group.id]
