"""What is beside a conversation goes with it."""

from uuid import uuid4

from idolchat_core.conversations.user_data import forget_turns
from idolchat_core.coordination.checkpoints import Checkpoints
from idolchat_core.coordination.contract import UnfinishedTurn
from idolchat_core.testing import InMemoryStorage


async def test_unfinished_turns_of_a_conversation_that_is_deleted_are_forgotten() -> None:
    storage = InMemoryStorage()
    gone, stays = (
        UnfinishedTurn(turn_id=uuid4(), conversation_id=uuid4(), user_message_id=uuid4(), message_id=uuid4())
        for _ in range(2)
    )
    for turn in (gone, stays):
        await Checkpoints(storage).save(turn, durable=True)

    assert await forget_turns(storage, {gone.conversation_id, uuid4()}) == 1
    assert [turn.turn_id for turn in await Checkpoints(storage).load()] == [stays.turn_id]
