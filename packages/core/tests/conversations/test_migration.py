"""Everything is copied, whatever was there before and however often it was begun."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

import pytest

from idolchat_core.conversations.migration import Migration, migrate
from idolchat_core.errors import StorageUnavailable
from idolchat_core.models import Conversation
from idolchat_core.storage.contract import Storage
from idolchat_core.testing import InMemoryStorage, a_conversation, a_message


class Faltering(InMemoryStorage):
    """Takes so many documents, and then no more for once."""

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience = patience

    async def put_documents(self, documents: Mapping[UUID, bytes]) -> None:
        self.patience -= len(documents)
        if -len(documents) < self.patience <= 0:
            raise StorageUnavailable("the disk is full")
        await super().put_documents(documents)


@pytest.fixture
async def source() -> InMemoryStorage:
    storage = InMemoryStorage()
    await asyncio.gather(*(storage.create(a_conversation("one", "두 번째", number_of_it=n)) for n in range(300)))
    await storage.put_record("keys", "ann", b"secret")
    await storage.put_record("turns", "running", b"{}")
    await storage.append_log("ledger", "2025", b"one\ntwo\n")
    return storage


async def run(source: Storage, target: Storage, *, dry_run: bool = False) -> Migration:
    return [state async for state in migrate(source, target, dry_run=dry_run)][-1]


async def contents(storage: Storage) -> dict[UUID, Conversation]:
    return {conversation_id: await storage.read(conversation_id) for conversation_id in await storage.list_ids()}


async def test_conversations_records_and_logs_are_copied_and_found_the_same(source: InMemoryStorage) -> None:
    target = InMemoryStorage()
    result = await run(source, target)

    assert (result.copied, result.verified, result.total, result.records, result.failures) == (300, 300, 300, 2, ())
    assert await contents(target) == await contents(source)
    assert await target.get_record("keys", "ann") == b"secret"
    assert await target.list_records("turns") == []
    assert await target.read_log("ledger", "2025") == b"one\ntwo\n"


async def test_a_second_run_copies_what_changed_and_nothing_else(source: InMemoryStorage) -> None:
    target = InMemoryStorage()
    await run(source, target)
    [first, second, *_] = await source.list_ids()
    added = a_message("more")
    await source.append(first, [added], expected_count=2, updated_at=added.timestamp)
    await source.delete(second)
    own = a_conversation("only here")
    await target.create(own)
    await source.append_log("ledger", "2025", b"three\n")
    result = await run(source, target)

    assert (result.copied, result.verified, result.changing) == (1, 299, False)
    assert (await contents(source)).items() < (await contents(target)).items()
    assert await target.read(own.id) == own
    assert await target.read_log("ledger", "2025") == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("patience", [1, 100, 299])
async def test_what_was_interrupted_is_gone_on_with(source: InMemoryStorage, patience: int) -> None:
    target = Faltering(patience)
    with pytest.raises(StorageUnavailable):
        await run(source, target)
    result = await run(source, target)

    assert (result.verified, result.failures) == (300, ())
    assert await contents(target) == await contents(source)


async def test_a_dry_run_tells_what_would_be_copied(source: InMemoryStorage) -> None:
    target = InMemoryStorage()
    result = await run(source, target, dry_run=True)

    assert (result.copied, result.verified, result.records) == (300, 0, 2)
    assert await target.list_ids() == []
    assert await target.list_namespaces() == []


async def test_a_log_of_the_same_name_that_says_something_else_is_left_alone(source: InMemoryStorage) -> None:
    target = InMemoryStorage()
    await target.append_log("ledger", "2025", b"other\n")
    result = await run(source, target)

    assert [failure.what for failure in result.failures] == ["log ledger/2025"]
    assert await target.read_log("ledger", "2025") == b"other\n"
