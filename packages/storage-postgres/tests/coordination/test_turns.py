"""The turns of several processes in one database."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest
from postgres_processes import HEIR, OpenProcess, Process

from idolchat_core import MeteredCall, NewMessages, OnBusy, Storage, StorageConflict, TurnStore, new_id
from idolchat_core.testing import OpenTurnStore, TurnStoreConformance, a_message, an_unfinished_turn


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
