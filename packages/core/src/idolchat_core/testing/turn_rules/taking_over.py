"""What is taken over from a process that died."""

from __future__ import annotations

from uuid import UUID

from idolchat_core.coordination.contract import NewMessages, TurnStore
from idolchat_core.models import new_id
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import a_message
from idolchat_core.testing.turn_rules.making import OpenTurnStore, a_running_turn, an_unfinished_turn, enter, left_to

__all__ = ["TakingOverRules"]


class TakingOverRules:
    """What is taken over from a process that died."""

    async def test_the_reply_so_far_is_taken_over_from_a_process_that_died(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        turn = await a_running_turn(turns, conversation_id, call, content="La", model="m", fields={"reasoning": "hm"})
        grown = turn.model_copy(update={"content": "La la"})
        await turns.save([grown])

        assert await left_to(successor) == [grown]

    async def test_a_turn_of_which_no_message_tells_is_taken_over(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        turn = an_unfinished_turn(conversation_id)
        await enter(turns, conversation_id, turn.turn_id)
        await turns.begin(conversation_id, turn.turn_id, None, call=call, describe=lambda: turn, is_kept=True)
        await call.written()

        assert [left.turn_id for left in await left_to(successor)] == [turn.turn_id]

    async def test_turns_that_waited_are_taken_over_after_the_one_that_ran(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        ran = await a_running_turn(turns, conversation_id, call, content="La la")
        waited = []
        for text in ("And now?", "Well?"):
            message = a_message(text)
            turn = an_unfinished_turn(conversation_id, user_message_id=message.id, messages=(message,), continues=True)
            await enter(turns, conversation_id, turn.turn_id)
            await turns.wait(turn)
            waited.append(turn)

        assert await left_to(successor) == [ran, *waited]

    async def test_what_was_taken_over_ends_like_a_turn_of_ones_own(
        self,
        turns: TurnStore,
        storage: Storage,
        conversation_id: UUID,
        call: MeteredCall,
        successor: OpenTurnStore,
    ) -> None:
        await a_running_turn(turns, conversation_id, call, content="La la")
        heir = await successor()
        reply = a_message("La la", role="assistant")
        for left in await heir.take_over():
            await heir.end(conversation_id, left.turn_id, NewMessages([reply], 3, reply.timestamp))
        await heir.settled()

        assert [*await heir.take_over(), *await left_to(successor)] == []
        assert (await storage.read_page(conversation_id, limit=1)).conversation.messages == (reply,)
        assert await enter(heir, conversation_id, new_id()) == []

    async def test_nothing_is_taken_over_of_a_turn_that_has_ended(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        turn = await a_running_turn(turns, conversation_id, call, content="La la")
        await turns.end(conversation_id, turn.turn_id)
        await turns.save([turn])
        await turns.settled()

        assert await left_to(successor) == []

    async def test_a_turn_that_cannot_be_stored_now_ends_later_and_is_taken_over_before(
        self,
        turns: TurnStore,
        storage: Storage,
        conversation_id: UUID,
        call: MeteredCall,
        successor: OpenTurnStore,
    ) -> None:
        turn = await a_running_turn(turns, conversation_id, call, content="La la")
        reply = a_message("La la", role="assistant")
        await turns.postpone(conversation_id, turn.turn_id)
        await turns.end(conversation_id, turn.turn_id, NewMessages([reply], 3, reply.timestamp))
        await turns.settled()

        assert await left_to(successor) == []
        assert (await storage.read_page(conversation_id, limit=1)).conversation.messages == (reply,)

    async def test_what_is_forgotten_is_not_taken_over(
        self, turns: TurnStore, conversation_id: UUID, call: MeteredCall, successor: OpenTurnStore
    ) -> None:
        kept = an_unfinished_turn(new_id(), messages=(a_message("Hi"),))
        gone = an_unfinished_turn(conversation_id, messages=(a_message("Sing!"),))
        for turn in (kept, gone):
            await enter(turns, turn.conversation_id, new_id())
            await enter(turns, turn.conversation_id, turn.turn_id)
            await turns.wait(turn)
        heir = await successor()

        assert await heir.forget(lambda turn: turn.conversation_id == conversation_id) == 1
        assert await left_to(successor) == [kept]
