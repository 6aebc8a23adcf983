"""What happens when the server goes away: nothing acknowledged is lost, and nothing is written twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from idolchat_core import StorageUnavailable
from idolchat_core.testing import a_conversation, a_message
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import PostgresStorage, open_postgres_storage
from idolchat_storage_postgres.testing import PostgresServer, running_postgres

WRITERS = 8


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL that may be stopped."""
    with running_postgres(fsync=True) as server:
        yield server


@pytest.fixture
async def storage(own_server: PostgresServer) -> AsyncIterator[PostgresStorage]:
    own_server.drop_database("faults")
    settings = PostgresSettings.model_validate({"url": own_server.make_database("faults")})
    async with open_postgres_storage(settings) as storage:
        yield storage


async def test_a_restart_under_load_loses_and_doubles_nothing(
    own_server: PostgresServer, storage: PostgresStorage
) -> None:
    conversations = [a_conversation("start") for _ in range(WRITERS)]
    said: dict[object, list[str]] = {conversation.id: ["start"] for conversation in conversations}
    is_over, has_grown = asyncio.Event(), asyncio.Event()
    await asyncio.gather(*map(storage.create, conversations))

    async def write(number: int) -> None:
        conversation = conversations[number]
        mine = said[conversation.id]
        while not is_over.is_set():
            message = a_message(f"{number} {len(mine)}")
            at = message.timestamp + timedelta(hours=1)
            await storage.append(conversation.id, [message], expected_count=len(mine), updated_at=at)
            mine.append(str(message.content))
            has_grown.set()

    writers = [asyncio.create_task(write(number)) for number in range(WRITERS)]
    for mode in ("immediate", "fast"):
        for _ in range(50):
            has_grown.clear()
            await has_grown.wait()
        await asyncio.to_thread(own_server.restart, mode)
    is_over.set()
    await asyncio.gather(*writers)

    for conversation in conversations:
        messages = (await storage.read(conversation.id)).messages
        assert [message.content for message in messages] == said[conversation.id]
    assert [one async for one in storage.verify() if one.issues] == []


async def test_what_cannot_be_reached_is_unavailable_and_comes_back(
    own_server: PostgresServer, storage: PostgresStorage
) -> None:
    conversation = a_conversation("one")
    await storage.create(conversation)
    own_server.stop("immediate")
    try:
        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            await storage.check()
        reading = asyncio.create_task(storage.read(conversation.id))
        await asyncio.sleep(0.2)
    finally:
        own_server.start()

    assert await reading == conversation
    await storage.check()


async def test_connections_that_are_cut_are_made_anew(own_server: PostgresServer, storage: PostgresStorage) -> None:
    conversation = a_conversation("one")
    await storage.create(conversation)
    for number in range(1, 6):
        own_server.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'idolchat'")
        message = a_message(str(number))
        await storage.append(
            conversation.id, [message], expected_count=number, updated_at=message.timestamp + timedelta(hours=1)
        )

    assert len((await storage.read(conversation.id)).messages) == 6


async def test_two_who_write_the_same_conversations_in_another_order_both_end(
    own_server: PostgresServer, storage: PostgresStorage
) -> None:
    made = [a_conversation("one", user_id="ann") for _ in range(40)]
    await asyncio.gather(*map(storage.create, made))
    documents = {one.id: await storage.read_document(one.id) for one in made}
    backwards = dict(reversed(documents.items()))

    await asyncio.gather(*(storage.put_documents(some) for some in (documents, backwards) * 4))
    assert dict(await storage.read_documents(documents)) == documents


async def test_an_error_tells_nothing_of_what_was_to_be_written(
    own_server: PostgresServer, storage: PostgresStorage, caplog: pytest.LogCaptureFixture
) -> None:
    own_server.query("alter table idolchat.conversations add check (user_id <> 'zq-user')", database="faults")

    with pytest.raises(StorageUnavailable) as refused:
        await storage.create(a_conversation("zq-said", user_id="zq-user"))
    assert "CheckViolation" in str(refused.value)
    for text in ("zq-said", "zq-user"):
        assert text not in str(refused.value)
        assert text not in caplog.text
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
