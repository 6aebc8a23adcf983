"""What waits for its reply is durable by itself, whatever crashes; and once in the document, it is nowhere else."""

import asyncio
import random
import sys
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from tests.support.mock_supabase.keys import SECRET
from tests.support.mock_supabase.server import MockSupabase
from tests.support.mock_supabase.state import Fault

from idolchat_core import Conversation, ConversationExists, ConversationNotFound, Message, StorageUnavailable, new_id
from idolchat_core.testing import a_conversation, a_message
from idolchat_storage_supabase.storage import SupabaseStorage

type Open = Callable[..., AbstractAsyncContextManager[SupabaseStorage]]

PROGRAM = Path(__file__).with_name("talking.py")
KILLS = 5


def tails(server: MockSupabase) -> dict[str, bytes]:
    return {key: stored.data for (_, key), stored in server.state.objects.items() if key.startswith("tails/")}


async def say(storage: SupabaseStorage, to: Conversation, *messages: Message, count: int) -> None:
    await storage.append(to.id, messages, expected_count=count, updated_at=to.updated_at)


def reply(text: str = "a reply") -> Message:
    return a_message(text, role="assistant")


async def test_the_document_is_written_once_with_message_and_reply(
    storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    conversation = a_conversation("one")
    await storage.create(conversation)
    await say(storage, conversation, reply(), count=1)
    await say(storage, conversation, a_message("two"), count=2)
    assert len((await storage.read(conversation.id)).messages) == 3
    await say(storage, conversation, reply(), count=3)

    assert mock_supabase.state.uploads[f"{conversation.id}.json"] == 2
    assert mock_supabase.object(f"{conversation.id}.json").data == await storage.read_document(conversation.id)


async def test_a_stop_writes_the_document_of_what_had_no_reply(open_storage: Open, mock_supabase: MockSupabase) -> None:
    conversation = a_conversation("one")
    async with open_storage() as storage:
        await storage.create(conversation)
        await say(storage, conversation, a_message("two"), count=1)
        before = await storage.read_document(conversation.id)

    assert mock_supabase.documents() == {str(conversation.id): before}
    assert tails(mock_supabase) == {}


async def test_another_process_reads_lists_and_finds_what_waits(
    open_storage: Open, storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    mock_supabase.state.rows, turn_id = None, new_id()
    begun, grown = a_conversation("one"), a_conversation(after_s=1)
    async with open_storage() as writer:
        await writer.create(begun)
        await writer.create(grown)
        await say(writer, grown, a_message("two", turn_id=turn_id), count=0)
        expected = {one.id: await writer.read_revised(one.id) for one in (begun, grown)}

        assert set(await storage.list_ids()) == {begun.id, grown.id}
        assert [summary.message_count for summary in (await storage.list()).data] == [1, 1]
        assert {one.id: await storage.read_revised(one.id) for one in (begun, grown)} == expected
        assert await storage.find_turn(turn_id) == grown.id
        with pytest.raises(ConversationExists):
            await storage.create(begun)


async def left_by_a_crash(mock_supabase: MockSupabase, open_storage: Open) -> tuple[Conversation, Message]:
    """Leave the tails of a conversation though its object was written with them, as a crash after that does."""
    conversation, said = a_conversation("one"), reply()
    async with open_storage() as storage:
        await storage.create(conversation)
        await say(storage, conversation, said, count=1)
        kept = {place: one for place, one in mock_supabase.state.objects.items() if place[1].startswith("tails/")}
        assert kept
    mock_supabase.state.objects |= kept
    return conversation, said


async def test_what_is_in_the_document_is_not_added_again(open_storage: Open, mock_supabase: MockSupabase) -> None:
    conversation, said = await left_by_a_crash(mock_supabase, open_storage)
    async with open_storage() as storage:
        assert (await storage.read(conversation.id)).messages == (*conversation.messages, said)
        assert [summary.message_count for summary in (await storage.list()).data] == [2]
        await say(storage, conversation, a_message("two"), reply(), count=2)

    assert tails(mock_supabase) == {}


async def test_gc_removes_what_says_nothing_any_more_and_nothing_else(
    open_storage: Open, mock_supabase: MockSupabase
) -> None:
    await left_by_a_crash(mock_supabase, open_storage)
    [useless] = tails(mock_supabase)
    begun, grown = a_conversation("one"), a_conversation()
    async with open_storage() as storage:
        await storage.create(begun)
        await storage.create(grown)
        await say(storage, grown, a_message("two"), count=0)
        needed = tails(mock_supabase).keys() - {useless}
        would = [one async for one in storage.collect_garbage(older_than=timedelta(0), dry_run=True)]
        did = [one async for one in storage.collect_garbage(older_than=timedelta(0))]

        assert [one.place for one in would] == [one.place for one in did] == [useless]
        assert tails(mock_supabase).keys() == needed


async def test_what_is_deleted_does_not_come_back_of_a_tail(open_storage: Open, mock_supabase: MockSupabase) -> None:
    conversation, _ = await left_by_a_crash(mock_supabase, open_storage)
    async with open_storage() as storage:
        await storage.delete(conversation.id)
        with pytest.raises(ConversationNotFound):
            await storage.read(conversation.id)
        assert (list(await storage.list_ids()), tails(mock_supabase)) == ([], {})
        await storage.create(conversation)
        await storage.delete(conversation.id)

    assert (mock_supabase.documents(), tails(mock_supabase)) == ({}, {})


async def test_what_another_process_deletes_while_it_waits_is_gone_here(
    open_storage: Open, storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    conversation = a_conversation("one")
    mock_supabase.state.rows = None
    async with open_storage(cache_age_s=0) as writer:
        await writer.create(conversation)
        await storage.delete(conversation.id)

        assert (list(await writer.list_ids()), (await writer.list()).data) == ([], [])
        with pytest.raises(ConversationNotFound):
            await writer.read(conversation.id)
        with pytest.raises(ConversationNotFound):
            await say(writer, conversation, reply(), count=1)

    assert (mock_supabase.documents(), tails(mock_supabase)) == ({}, {})


async def test_what_is_put_is_there_without_what_waited(open_storage: Open, mock_supabase: MockSupabase) -> None:
    conversation = a_conversation("one")
    async with open_storage() as storage:
        await storage.put(conversation)
        before = await storage.read_document(conversation.id)
        await say(storage, conversation, a_message("two"), count=1)
        await storage.put_document(conversation.id, before)

        assert await storage.read_document(conversation.id) == before
        assert tails(mock_supabase) == {}


async def test_a_deleted_message_leaves_no_byte(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    conversation = a_conversation("a secret")
    await storage.create(conversation)
    await say(storage, conversation, reply(), count=1)
    await say(storage, conversation, a_message("another secret"), count=2)
    for message in (await storage.read(conversation.id)).messages:
        await storage.replace_message(conversation.id, message.model_copy(update={"content": ""}))

    assert not [key for (_, key), stored in mock_supabase.state.objects.items() if b"secret" in stored.data]


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_AFTER])
async def test_a_message_that_was_refused_can_be_sent_again(
    open_storage: Open, mock_supabase: MockSupabase, fault: Fault
) -> None:
    conversation, message = a_conversation("one"), a_message("two")
    async with open_storage(retries=0) as storage:
        await storage.create(conversation)
        mock_supabase.fail_next(fault, call="POST /object/")
        with pytest.raises(StorageUnavailable):
            await say(storage, conversation, message, count=1)
        await say(storage, conversation, message, count=1)
        await say(storage, conversation, reply(), count=2)

        assert [one.content for one in (await storage.read(conversation.id)).messages] == ["one", "two", "a reply"]


async def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(
    open_storage: Open, mock_supabase: MockSupabase
) -> None:
    ids = [new_id() for _ in range(3)]
    acknowledged: dict[UUID, list[UUID]] = defaultdict(list)
    for _ in range(KILLS):
        for conversation_id, message_id in await talked(mock_supabase.url, ids, lines=random.randint(1, 40)):
            acknowledged[conversation_id].append(message_id)
        async with open_storage() as storage:
            for conversation_id, told in acknowledged.items():
                stored = [message.id for message in (await storage.read(conversation_id)).messages]
                wanted = set(told)
                assert len(stored) == len(set(stored)) <= len(wanted) + KILLS
                assert [message_id for message_id in stored if message_id in wanted] == told
            listed = {summary.id: summary.message_count for summary in (await storage.list()).data}
            assert listed == {one: len((await storage.read(one)).messages) for one in await storage.list_ids()}


async def talked(url: str, ids: list[UUID], *, lines: int) -> list[tuple[UUID, UUID]]:
    """Run the program until it has said so many things, kill it, and return all that it has said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), url, SECRET, *map(str, ids), stdout=PIPE
    )
    assert process.stdout is not None
    said: list[tuple[UUID, UUID]] = []
    try:
        while (line := await process.stdout.readline()).endswith(b"\n"):
            conversation_id, message_id = line.decode().split()
            said.append((UUID(conversation_id), UUID(message_id)))
            if len(said) == lines:
                process.kill()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return said
