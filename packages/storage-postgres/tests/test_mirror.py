"""A database that several servers share is copied to a mirror by one of them, whoever changes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import timedelta
from uuid import uuid4

import pytest

from idolchat_core import Storage
from idolchat_core.mirror import MirroredStorage, MirrorMode, MirrorTuning, open_mirrored, record_keys
from idolchat_core.testing import InMemoryObjects, a_conversation, a_message, until_so
from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import open_postgres_storage

QUICK = MirrorTuning(settle_s=0.0, rest_s=0.02, look_every_s=0.05, first_pause_s=0.002, longest_pause_s=0.01)
RECORDS = ("characters",)

type Open = Callable[..., Awaitable[MirroredStorage]]


@pytest.fixture
def mirror() -> InMemoryObjects:
    return InMemoryObjects()


@pytest.fixture
async def opened(database_url: str, mirror: Storage) -> AsyncGenerator[Open]:
    """Return a function that opens the database with its mirror, as one more server does."""
    settings = PostgresSettings.model_validate({"url": database_url})

    @asynccontextmanager
    async def opening(mode: MirrorMode) -> AsyncGenerator[MirroredStorage]:
        async with (
            open_postgres_storage(settings) as storage,
            open_mirrored(
                storage, {"objects": lambda: nullcontext(mirror)}, records=RECORDS, mode=mode, tuning=QUICK
            ) as mirrored,
        ):
            yield mirrored

    async with AsyncExitStack() as stack:

        async def open_one(mode: MirrorMode = MirrorMode.REPLICATE) -> MirroredStorage:
            return await stack.enter_async_context(opening(mode))

        yield open_one


async def are_same(storage: MirroredStorage, mirror: Storage) -> None:
    """Wait until the mirror has what the database has, and nothing else."""
    async with asyncio.timeout(60):
        await storage.has_copied()
    ids = set(await storage.primary.list_ids())
    assert set(await mirror.list_ids()) == ids
    for conversation_id in ids:
        assert await mirror.read(conversation_id) == await storage.primary.read(conversation_id)
    keys = await record_keys(storage.primary, RECORDS)
    assert await record_keys(mirror, RECORDS) == keys
    for key in keys:
        assert await mirror.get_record(*key) == await storage.primary.get_record(*key)


async def test_what_any_server_changes_is_copied(opened: Open, mirror: InMemoryObjects) -> None:
    one, other = await opened(), await opened()
    kept, gone, put, told = (a_conversation(text) for text in ("one", "two", "three", "four"))
    for conversation in (kept, gone, put, told):
        await one.create(conversation)
    for name in ("lumi", "mira"):
        await other.put_record("characters", name, name.encode())
    await are_same(one, mirror)
    message = a_message("more")
    later = message.timestamp + timedelta(hours=1)
    await other.append(kept.id, [message], expected_count=1, updated_at=later)
    await other.delete(gone.id)
    await one.put(put.model_copy(update={"created_at": put.created_at + timedelta(days=1)}))
    await other.update(told.id, {"title": "A title"}, expected_count=1)
    await one.replace_message(told.id, told.messages[0].model_copy(update={"content": "Other words."}))
    await one.delete_record("characters", "lumi")
    await other.put_record("characters", "mira", b"changed")
    await are_same(other, mirror)

    assert (await mirror.read(told.id)).messages[0].content == "Other words."
    assert {storage.status.mirrors[0].conflicts for storage in (one, other)} == {0}


async def test_what_was_changed_while_nobody_copied_is_copied_later(opened: Open, mirror: InMemoryObjects) -> None:
    command = await opened(MirrorMode.RECORD)
    kept, gone = a_conversation("one"), a_conversation("two")
    await command.create(kept)
    await command.create(gone)
    await mirror.create(gone)
    await command.delete(gone.id)
    await command.put_record("characters", "lumi", b"a card")
    assert set(await mirror.list_ids()) == {gone.id}

    await are_same(await opened(), mirror)


async def test_what_only_the_mirror_has_is_restored_by_any_server_and_what_was_deleted_is_not(
    opened: Open, mirror: InMemoryObjects
) -> None:
    lost, deleted = (a_conversation(text).model_copy(update={"id": uuid4()}) for text in ("lost", "deleted"))
    for conversation in (lost, deleted):
        await mirror.create(conversation)
    command = await opened(MirrorMode.RECORD)
    assert await command.read(deleted.id) == deleted
    await command.delete(deleted.id)
    assert not await command.restoring.bring_back(deleted.id)
    one, other = await opened(), await opened()
    assert await other.read(lost.id) == lost
    await are_same(one, mirror)

    assert set(await one.list_ids()) == {lost.id}


async def test_one_copies_and_all_tell_which(opened: Open, mirror: InMemoryObjects) -> None:
    servers = [await opened() for _ in range(3)]
    mirror.is_down = True
    await servers[2].create(a_conversation("one"))
    await until_so("one copy to be due", lambda: {server.status.pending for server in servers} == {1})
    told = {server.status.mirrors[0].copied_by for server in servers}
    mirror.is_down = False
    await are_same(servers[1], mirror)

    assert len(told) == 1
    assert None not in told
