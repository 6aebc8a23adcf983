"""What a turn leaves as it ends."""

from __future__ import annotations

from uuid import UUID

import pytest

from idolchat_core.coordination.contract import NewMessages, TurnStore
from idolchat_core.errors import StorageConflict
from idolchat_core.events.events import TurnState
from idolchat_core.models import new_id
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import a_message
from idolchat_core.testing.turn_rules.making import begin, enter

__all__ = ["EndingRules"]


class EndingRules:
    """What a turn leaves as it ends."""

    async def test_a_turn_ends_with_its_reply(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID, call: MeteredCall
    ) -> None:
        turn_id, reply = new_id(), a_message("La la la", role="assistant")
        await enter(turns, conversation_id, turn_id)
        await begin(turns, conversation_id, turn_id, call, a_message("Sing!"), count=2)
        revision = await turns.end(conversation_id, turn_id, NewMessages([reply], 3, reply.timestamp), call=call)

        page = await storage.read_page(conversation_id, limit=1)
        assert (page.revision, page.conversation.messages) == (revision, (reply,))
        assert await turns.occupants(conversation_id) == []

    async def test_a_turn_whose_reply_finds_the_conversation_changed_keeps_its_place(
        self, turns: TurnStore, storage: Storage, conversation_id: UUID
    ) -> None:
        turn_id, reply = new_id(), a_message("La la la", role="assistant")
        await enter(turns, conversation_id, turn_id)
        with pytest.raises(StorageConflict):
            await turns.end(conversation_id, turn_id, NewMessages([reply], 1, reply.timestamp))
        assert [turn.turn_id for turn in await turns.occupants(conversation_id)] == [turn_id]
        await turns.end(conversation_id, turn_id, NewMessages([reply], 2, reply.timestamp))

        assert (await storage.read_page(conversation_id, limit=1)).conversation.messages == (reply,)

    async def test_of_a_turn_that_has_no_place_nothing_is_known(self, turns: TurnStore, conversation_id: UUID) -> None:
        turn_id = new_id()
        await enter(turns, conversation_id, turn_id)
        await turns.end(conversation_id, turn_id)

        assert await turns.find(turn_id) is None
        assert await turns.stop(turn_id, TurnState.CANCELLED) is None
