"""What a turn meets that gets its place as it begins."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from idolchat_core.coordination.contract import AlreadyEntered, NewMessages, OnBusy, TurnStore
from idolchat_core.errors import ConversationBusy, StorageConflict
from idolchat_core.models import new_id
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import a_message
from idolchat_core.testing.turn_rules.making import OpenTurnStore, begin, begin_at_once, enter

__all__ = ["BeginningAtOnceRules"]


class BeginningAtOnceRules:
    """What a turn meets that gets its place as it begins."""

    async def test_a_turn_that_begins_at_once_has_its_place_when_it_has_begun(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        turn_id = new_id()
        assert await begin_at_once(turns, conversation_id, turn_id, call) == []

        [occupant] = await turns.occupants(conversation_id)
        assert (occupant.turn_id, occupant.has_begun, occupant.is_waiting) == (turn_id, True, False)
        assert (await storage.read_page(conversation_id, limit=1)).total == 3
        reply = a_message("La la la!")
        await turns.end(conversation_id, turn_id, NewMessages([reply], 3, reply.timestamp))
        assert await turns.occupants(conversation_id) == []

    async def test_a_turn_that_was_to_begin_at_once_waits_behind_others(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        first, second = new_id(), new_id()
        await enter(turns, conversation_id, first)
        assert await begin_at_once(turns, conversation_id, second, call) == [first]
        assert (await storage.read_page(conversation_id, limit=1)).total == 2
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [first, second]

        await turns.end(conversation_id, first)
        await turns.reached(conversation_id, second)
        await begin(turns, conversation_id, second, call, a_message("Sing!"), count=2)
        assert (await storage.read_page(conversation_id, limit=1)).total == 3

    async def test_a_turn_that_was_to_begin_at_once_is_refused_where_nobody_may_wait(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        first = new_id()
        await enter(turns, conversation_id, first)

        with pytest.raises(ConversationBusy):
            await begin_at_once(turns, conversation_id, new_id(), call, on_busy=OnBusy.REJECT)
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [first]

    async def test_a_turn_that_begins_at_once_begins_anew_where_the_conversation_was_not_as_expected(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        turn_id = new_id()
        with pytest.raises(StorageConflict):
            await begin_at_once(turns, conversation_id, turn_id, call, count=1)

        assert await begin_at_once(turns, conversation_id, turn_id, call, has_entered=True) == []
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [turn_id]

    async def test_a_turn_that_was_to_begin_at_once_and_does_not_leaves_nothing(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        for fails in (False, True):
            turn_id = new_id()
            if fails:
                with pytest.raises(StorageConflict):
                    await begin_at_once(turns, conversation_id, turn_id, call, count=1)
            else:
                await enter(turns, conversation_id, turn_id, begins_at_once=True)
            await turns.end(conversation_id, turn_id)

            assert await turns.occupants(conversation_id) == []
            assert await turns.find(turn_id) is None

    async def test_of_turns_of_all_processes_that_begin_at_once_one_does(
        self, turns: TurnStore, another: OpenTurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        stores, ids = [turns, await another(), await another()] * 3, [new_id() for _ in range(9)]
        ahead = await asyncio.gather(
            *(begin_at_once(store, conversation_id, turn_id, call) for store, turn_id in zip(stores, ids, strict=True))
        )

        in_order = [turn.turn_id for turn in await turns.occupants(conversation_id)]
        assert sorted(ahead, key=len) == [in_order[:number] for number in range(9)]
        assert (await storage.read_page(conversation_id, limit=1)).total == 3

    async def test_one_that_has_begun_at_once_is_known_everywhere(
        self, turns: TurnStore, another: OpenTurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        other, turn_id = await another(), new_id()
        await begin_at_once(turns, conversation_id, turn_id, call)

        with pytest.raises(AlreadyEntered) as raised:
            await begin_at_once(other, conversation_id, turn_id, call, count=3)
        assert raised.value.occupant == await turns.find(turn_id)
