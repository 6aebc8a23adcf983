"""The turns of several processes in one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import asyncpg
import pytest
from postgres_processes import HEIR, OpenProcess, Process

from idolchat_core import MeteredCall, NewMessages, OnBusy, Storage, StorageConflict, TurnStore, new_id
from idolchat_core.testing import OpenTurnStore, TurnStoreConformance, a_message, an_unfinished_turn, until
from idolchat_storage_postgres.coordination.statements import PAGE_SIZE

ONE_MORE = """
with grown as (
  update idolchat.conversations set count = count + 1, version = version + 1 where id = $1 returning *)
insert into idolchat.messages (conversation_id, position, id, at, line)
select grown.id, count - 1, 'more', m.at, m.line from grown join idolchat.messages m on m.conversation_id = grown.id
where m.position = 0
"""
"""Says the first message of a conversation once more."""
WAITING = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"


@asynccontextmanager
async def a_connection(url: str) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def until_one_waits(url: str) -> None:
    """Wait until a statement waits for a lock."""
    async with a_connection(url) as connection:
        await until("a statement that waits for a lock", lambda: connection.fetchval(WAITING))


class TestPostgresTurns(TurnStoreConformance):
    @pytest.fixture
    def storage(self, process: Process) -> Storage:
        return process.storage

    @pytest.fixture
    def turns(self, process: Process) -> TurnStore:
        return process.coordination.turns

    @pytest.fixture
    def another(self, open_process: OpenProcess) -> OpenTurnStore:
        async def open_store() -> TurnStore:
            return (await open_process()).coordination.turns

        return open_store

    @pytest.fixture
    def successor(self, process: Process, open_process: OpenProcess) -> OpenTurnStore:
        async def open_store() -> TurnStore:
            await process.falls_silent()
            heir = await open_process(timing=HEIR)
            await heir.may_judge()
            return heir.coordination.turns

        return open_store

    async def refused(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, *, revision: str
    ) -> StorageConflict:
        """Begin a turn that knows two messages at a revision, and return why it was refused."""
        turn_id, message = new_id(), a_message("And now?")
        await turns.enter(conversation_id, turn_id, on_busy=OnBusy.ENQUEUE, max_waiting=1)
        write = NewMessages([message], 2, message.timestamp, None, revision)
        describe = partial(an_unfinished_turn, conversation_id, turn_id=turn_id)
        with pytest.raises(StorageConflict) as raised:
            await turns.begin(conversation_id, turn_id, write, call=call, describe=describe)
        return raised.value

    async def test_a_turn_that_knows_an_older_state_is_told_what_was_added_alone(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        known, added = await storage.read_page(conversation_id, limit=9), a_message("Sing!")
        await storage.append(conversation_id, [added], expected_count=2, updated_at=added.timestamp)

        conflict = await self.refused(turns, conversation_id, call, revision=known.revision)
        assert conflict.is_added
        assert conflict.page is not None
        assert (conflict.page.start, conflict.page.conversation.messages) == (2, (added,))
        assert conflict.page.revision == (await storage.read_page(conversation_id, limit=0)).revision

    async def test_a_turn_whose_row_a_statement_holds_is_taken_over_once_that_has_ended(
        self, turns: TurnStore, conversation_id: UUID, successor: OpenTurnStore, database_url: str
    ) -> None:
        turn = an_unfinished_turn(conversation_id, messages=(a_message("Sing!"),))
        for turn_id in (new_id(), turn.turn_id):
            await turns.enter(conversation_id, turn_id, on_busy=OnBusy.ENQUEUE, max_waiting=1)
        await turns.wait(turn)
        heir = await successor()
        async with a_connection(database_url) as other, other.transaction():
            await other.execute("select from idolchat.turns for update")
            assert list(await heir.take_over()) == []

        assert list(await heir.take_over()) == [turn]

    async def test_where_a_message_that_it_knows_has_changed_it_is_told_that_one_too(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        known = await storage.read_page(conversation_id, limit=9)
        await storage.replace_message(
            conversation_id, known.conversation.messages[0].model_copy(update={"content": "Hi!"})
        )

        conflict = await self.refused(turns, conversation_id, call, revision=known.revision)
        assert not conflict.is_added
        assert conflict.page == await storage.read_page(conversation_id, limit=9)

    async def test_a_message_that_may_follow_is_written_by_the_statement_that_tells_what_it_follows(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        known = await storage.read_page(conversation_id, limit=9)
        replies = [a_message(f"Song {number}", role="assistant") for number in range(PAGE_SIZE + 1)]
        await storage.append(conversation_id, replies, expected_count=2, updated_at=replies[-1].timestamp)
        before = await storage.read_page(conversation_id, limit=PAGE_SIZE)
        written, told = await self.begin_behind(turns, known, new_id(), call)

        assert told == [(before, False)]  # more was added than is told
        page = await storage.read_page(conversation_id, limit=1)
        assert (page.total, list(page.conversation.messages)) == (3 + len(replies), written)

    async def test_a_message_that_may_follow_is_refused_where_more_is_added_at_that_moment(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall, database_url: str
    ) -> None:
        known, reply = await storage.read_page(conversation_id, limit=9), a_message("Good!", role="assistant")
        await storage.append(conversation_id, [reply], expected_count=2, updated_at=reply.timestamp)
        async with a_connection(database_url) as other:
            async with other.transaction():
                await other.execute(ONE_MORE, conversation_id)
                beginning = asyncio.create_task(self.begin_behind(turns, known, new_id(), call))
                await until_one_waits(database_url)
            with pytest.raises(StorageConflict):
                await beginning

        assert (await storage.read_page(conversation_id, limit=1)).total == 4
