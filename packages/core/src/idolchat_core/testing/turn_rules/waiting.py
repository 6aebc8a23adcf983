"""How turns wait for their place in a conversation, in one process and in many."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from idolchat_core.coordination.contract import AlreadyEntered, OnBusy, TurnStore
from idolchat_core.errors import ConversationBusy, QueueFull
from idolchat_core.models import new_id
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.testing.storage_rules.making import a_message
from idolchat_core.testing.turn_rules.making import OpenTurnStore, begin, enter

__all__ = ["WaitingRules"]


class WaitingRules:
    """How turns wait for their place in a conversation, in one process and in many."""

    async def test_the_first_turn_of_a_conversation_has_nobody_ahead(
        self, turns: TurnStore, conversation_id: UUID
    ) -> None:
        assert await enter(turns, conversation_id, new_id()) == []

    async def test_turns_of_other_conversations_are_not_ahead(self, turns: TurnStore, conversation_id: UUID) -> None:
        await enter(turns, conversation_id, new_id())

        assert await enter(turns, new_id(), new_id()) == []

    async def test_turns_wait_in_the_order_in_which_they_came(self, turns: TurnStore, conversation_id: UUID) -> None:
        ids = [new_id() for _ in range(4)]
        for number, turn_id in enumerate(ids):
            assert await enter(turns, conversation_id, turn_id) == ids[:number]
        reached: list[UUID] = []
        waiting = [asyncio.create_task(reach(turns, conversation_id, turn_id, reached)) for turn_id in ids[1:]]
        for turn_id in ids[:-1]:
            await turns.end(conversation_id, turn_id)
            await waiting[ids.index(turn_id)]
            assert reached == ids[1 : ids.index(turn_id) + 2]

    async def test_one_that_waits_may_give_its_place_up(self, turns: TurnStore, conversation_id: UUID) -> None:
        first, second, third = (new_id() for _ in range(3))
        for turn_id in (first, second, third):
            await enter(turns, conversation_id, turn_id)
        await turns.end(conversation_id, second)
        await turns.end(conversation_id, first)

        await turns.reached(conversation_id, third)
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [third]

    async def test_a_turn_learns_whether_one_that_was_ahead_of_it_has_begun(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall
    ) -> None:
        for has_begun in (False, True):
            first, second = new_id(), new_id()
            await enter(turns, conversation_id, first)
            await enter(turns, conversation_id, second)
            if has_begun:
                await begin(turns, conversation_id, first, call, a_message("Sing!"), count=2)
            await turns.end(conversation_id, first)

            assert await turns.reached(conversation_id, second) is has_begun
            await turns.end(conversation_id, second)

    async def test_a_busy_conversation_refuses_who_does_not_wait(self, turns: TurnStore, conversation_id: UUID) -> None:
        running = new_id()
        await enter(turns, conversation_id, running)
        with pytest.raises(ConversationBusy):
            await enter(turns, conversation_id, new_id(), on_busy=OnBusy.REJECT)

        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [running]

    async def test_no_more_than_so_many_wait(self, turns: TurnStore, conversation_id: UUID) -> None:
        for _ in range(3):
            await enter(turns, conversation_id, new_id(), max_waiting=2)
        with pytest.raises(QueueFull):
            await enter(turns, conversation_id, new_id(), max_waiting=2)

        assert len(await turns.occupants(conversation_id)) == 3

    async def test_a_turn_has_one_place(self, turns: TurnStore, conversation_id: UUID) -> None:
        turn_id = new_id()
        await enter(turns, conversation_id, turn_id)
        with pytest.raises(AlreadyEntered) as raised:
            await enter(turns, conversation_id, turn_id)

        assert raised.value.occupant.turn_id == turn_id

    async def test_who_waits_is_told_from_who_runs(self, turns: TurnStore, conversation_id: UUID) -> None:
        for turn_id in (new_id(), new_id()):
            await enter(turns, conversation_id, turn_id)

        assert [turn.is_waiting for turn in await turns.occupants(conversation_id)] == [False, True]

    async def test_turns_of_all_processes_stand_in_one_row(
        self, turns: TurnStore, another: OpenTurnStore, conversation_id: UUID
    ) -> None:
        other = await another()
        first, second, third = (new_id() for _ in range(3))
        assert await enter(turns, conversation_id, first) == []
        assert await enter(other, conversation_id, second) == [first]
        assert await enter(turns, conversation_id, third) == [first, second]
        with pytest.raises(AlreadyEntered):
            await enter(other, conversation_id, first)
        await turns.end(conversation_id, first)
        await other.reached(conversation_id, second)
        await other.end(conversation_id, second)

        await turns.reached(conversation_id, third)


async def reach(turns: TurnStore, conversation_id: UUID, turn_id: UUID, reached: list[UUID]) -> None:
    """Wait until nobody is ahead of a turn, and note that."""
    await turns.reached(conversation_id, turn_id)
    reached.append(turn_id)
