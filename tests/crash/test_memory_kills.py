"""The index of memory, over kills of the server at any call, SQLite's among them, and of commands beside it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from idolchat_core import MemoryIndex, MemoryScope, ScopeReader
from idolchat_core.testing import MemorySnapshot, memory_snapshot, until
from idolchat_memory.feed import MemoryFeed
from idolchat_memory.sqlite import open_sqlite_index
from idolchat_memory.terms import ANALYSIS
from idolchat_storage_local import LocalSettings, open_local_storage
from tests.crash.neighbours import Neighbours
from tests.crash.test_observer_kills import ROUNDS, USERS, one_round, stored
from tests.support.faults import compile_shim
from tests.support.mock_openrouter.fixture import Mock


@pytest.fixture
def neighbours(tmp_path: Path, mock_openrouter: Mock) -> Iterator[Neighbours]:
    """A server that remembers, by words, not started yet."""
    shim = compile_shim(tmp_path)
    neighbours = Neighbours(tmp_path / "neighbours", shim, mock_openrouter, IDOLCHAT_MEMORY_SEMANTIC="off")
    yield neighbours
    if neighbours.server.is_running:
        neighbours.server.kill()


class Indexed(NamedTuple):
    """All that an index holds; the revisions without the mark of whether messages were left out.

    Of nobody's conversations, which nothing is remembered of, the revision may be that of before: it is empty here.
    """

    revisions: Mapping[str, str]
    scopes: Sequence[MemorySnapshot]


def snapshot(reader: ScopeReader) -> MemorySnapshot:
    """Read a scope as memory has it."""
    return memory_snapshot(reader, ANALYSIS)


async def held(index: MemoryIndex) -> Indexed:
    """Read all of an index."""
    known = {one: await index.known(one) for one in await index.conversations()}
    revisions = {
        str(one): it.revision[1:] if it.scope.user_id is not None else "" for one, it in known.items() if it is not None
    }
    scopes = [MemoryScope(user_id=user) for user in USERS]
    return Indexed(revisions, [await index.read(scope, snapshot) for scope in scopes])


async def rebuilt(data: Path, scratch: Path) -> Indexed:
    """Index what is stored from nothing."""
    async with open_local_storage(LocalSettings(data_dir=data)) as storage, open_sqlite_index(scratch) as index:
        await storage.settle()
        feed = MemoryFeed(index, storage, anonymous=False)
        for conversation_id in await storage.list_ids():
            page = await storage.read_page(conversation_id, limit=1)
            await feed.index(conversation_id, page.revision)
        return await held(index)


async def test_after_kills_the_index_equals_one_built_anew(
    neighbours: Neighbours, dice: Random, tmp_path: Path
) -> None:
    conversations: list[str] = []
    for _ in range(ROUNDS):
        await one_round(neighbours, dice, conversations)
    neighbours.server.start()
    async with open_sqlite_index(neighbours.data / "memory" / "index.sqlite") as index:

        async def is_whole() -> bool:
            indexed = (await held(index)).revisions
            wanted = await stored(neighbours.data)
            return indexed == {one: revision if indexed.get(one) else "" for one, revision in wanted.items()}

        await until("an index of all that is stored", is_whole, within_s=90)
        neighbours.server.stop()

        lived, anew = await held(index), await rebuilt(neighbours.data, tmp_path / "anew.sqlite")
        assert lived == anew
        assert any(scope.messages for scope in lived.scopes)
        assert await index.verify() == []
