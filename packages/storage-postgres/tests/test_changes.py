"""What any process changes is told to all who follow, and what one alone is to do, one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from uuid import UUID

import pytest

from idolchat_core import StorageUnavailable
from idolchat_core.testing import a_conversation, a_message, until
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import PostgresStorage, open_postgres_storage
from idolchat_storage_postgres.testing import PostgresServer


@pytest.fixture
async def storages(database_url: str) -> AsyncIterator[tuple[PostgresStorage, PostgresStorage]]:
    """Open a storage twice, as two servers do."""
    settings = PostgresSettings.model_validate({"url": database_url})
    async with open_postgres_storage(settings) as one, open_postgres_storage(settings) as other:
        yield one, other


async def told(storage: PostgresStorage, since: str | None) -> tuple[dict[UUID, tuple[str | None, str]], str]:
    """Return what has changed, and where that which follows begins."""
    found: dict[UUID, tuple[str | None, str]] = {}
    place = since or ""
    async for page in storage.changes(since):
        found |= {one.conversation_id: (one.revision, one.rewritten) for one in page.changes}
        place = page.next
    return found, place


async def test_every_change_of_any_process_is_told(storages: tuple[PostgresStorage, PostgresStorage]) -> None:
    one, other = storages
    kept, gone, put = (a_conversation("one") for _ in range(3))
    first = [await one.create(conversation) for conversation in (kept, gone, put)]
    everything, place = await told(other, None)
    assert {conversation_id: revision for conversation_id, (revision, _) in everything.items()} == dict(
        zip((kept.id, gone.id, put.id), first, strict=True)
    )

    message = a_message("two")
    grown = await one.append(kept.id, [message], expected_count=1, updated_at=message.timestamp + timedelta(hours=1))
    await one.delete(gone.id)
    await other.put(put)
    since, later = await told(other, place)
    assert since[kept.id] == (grown, first[0])
    assert since[gone.id][0] is None
    revision, rewritten = since[put.id]
    assert revision == rewritten != first[2]
    assert (await told(other, later))[0] == {}


async def test_a_change_that_is_committed_late_is_not_missed(
    storages: tuple[PostgresStorage, PostgresStorage],
) -> None:
    one, other = storages
    early, late = a_conversation("one"), a_conversation("two")
    await one.create(early)
    await one.create(late)
    _, place = await told(one, None)
    session = one.database.session()
    connection = await session.connection()
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("update idolchat.conversations set version = version + 1 where id = $1", late.id)
    await other.update(early.id, {"title": "x"}, expected_count=1)
    seen, place = await told(one, place)
    assert late.id not in seen
    await transaction.commit()
    await session.close()

    assert late.id in (await told(one, place))[0]


async def test_many_changes_are_told_page_by_page(storages: tuple[PostgresStorage, PostgresStorage]) -> None:
    one, _ = storages
    made = [a_conversation() for _ in range(2500)]
    await asyncio.gather(*map(one.create, made))

    assert set((await told(one, None))[0]) == {conversation.id for conversation in made}


async def test_histories_that_are_gone_or_rewritten_are_told_also_where_another_is_in_their_place(
    storages: tuple[PostgresStorage, PostgresStorage],
) -> None:
    one, other = storages
    deleted, put, kept = (a_conversation("one") for _ in range(3))
    for conversation in (deleted, put, kept):
        await one.create(conversation)
    _, place = await told(one, None)
    anew = put.model_copy(update={"created_at": put.created_at + timedelta(days=1)})
    await other.delete(deleted.id)
    await other.put(anew)
    message = a_message("two")
    await other.append(kept.id, [message], expected_count=1, updated_at=message.timestamp)
    gone = {
        (change.conversation_id, change.gone, change.revision is None)
        async for page in one.changes(place)
        for change in page.changes
        if change.gone is not None
    }

    assert gone == {(deleted.id, deleted.created_at, True), (put.id, put.created_at, False)}


async def test_of_all_processes_one_is_chosen_and_another_when_it_ends_or_stands_still(
    database_url: str, server: PostgresServer
) -> None:
    settings = PostgresSettings.model_validate({"url": database_url})
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_postgres_storage(settings))
        async with open_postgres_storage(settings) as second:
            assert [await one.is_chosen("x") for one in (second, first, second)] == [True, False, True]
            assert await first.is_chosen("y")
        assert await first.is_chosen("x")
        server.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'idolchat'")
        assert [await _eventually(first), await first.is_chosen("x")] == [True, True]

        await first.tasks.pause()
        third = await stack.enter_async_context(open_postgres_storage(settings))
        await until("the third to be chosen", lambda: third.is_chosen("x"))
        assert not await first.is_chosen("x")


async def _eventually(storage: PostgresStorage) -> bool:
    while True:
        with suppress(StorageUnavailable):  # the connection was cut
            return await storage.is_chosen("x")
