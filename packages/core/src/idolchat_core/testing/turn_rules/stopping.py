"""How a turn is found and stopped, from its own process and from others."""

from __future__ import annotations

from uuid import UUID

import pytest

from idolchat_core.coordination.contract import OnBusy, TurnStore
from idolchat_core.events.events import TurnState
from idolchat_core.models import new_id
from idolchat_core.testing.turn_rules.making import OpenTurnStore, enter

__all__ = ["StoppingRules"]


class StoppingRules:
    """How a turn is found and stopped, from its own process and from others."""

    async def test_that_a_turn_is_to_stop_is_told_with_where_it_is_and_when_it_is_saved(
        self, turns: TurnStore, conversation_id: UUID
    ) -> None:
        turn_id = new_id()
        await enter(turns, conversation_id, turn_id)
        assert await turns.save([]) == {}
        stopped = await turns.stop(turn_id, TurnState.CANCELLED)

        assert stopped == await turns.find(turn_id) is not None
        assert await turns.save([]) == {turn_id: TurnState.CANCELLED}
        await turns.end(conversation_id, turn_id)
        assert await turns.save([]) == {}

    @pytest.mark.parametrize("on_busy", [OnBusy.INTERRUPT, OnBusy.ROLLBACK])
    async def test_who_interrupts_has_all_ahead_stop(
        self, turns: TurnStore, conversation_id: UUID, on_busy: OnBusy
    ) -> None:
        ahead = [new_id(), new_id()]
        for turn_id in ahead:
            await enter(turns, conversation_id, turn_id)
        await enter(turns, conversation_id, new_id(), on_busy=on_busy)

        assert await turns.save([]) == dict.fromkeys(ahead, TurnState.CANCELLED)

    async def test_where_a_turn_is_is_known_everywhere(
        self, turns: TurnStore, another: OpenTurnStore, conversation_id: UUID
    ) -> None:
        other, turn_id = await another(), new_id()
        await enter(turns, conversation_id, turn_id)
        own = new_id()
        await enter(other, new_id(), own)

        found, mine = await other.find(turn_id), await other.find(own)
        assert found == await turns.find(turn_id)
        assert found is not None
        assert mine is not None
        assert found.inbox != mine.inbox

    async def test_a_turn_that_another_process_stops_is_told_its_own(
        self, turns: TurnStore, another: OpenTurnStore, conversation_id: UUID
    ) -> None:
        other, turn_id = await another(), new_id()
        await enter(turns, conversation_id, turn_id)
        await other.stop(turn_id, TurnState.CANCELLED)

        assert await other.save([]) == {}
        assert await turns.save([]) == {turn_id: TurnState.CANCELLED}
