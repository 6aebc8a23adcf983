from datetime import timedelta

from idolchat_core.conversations.orphans import collect_garbage
from idolchat_core.coordination.checkpoints import NAMESPACE
from idolchat_core.coordination.contract import UnfinishedTurn
from idolchat_core.models import new_id
from idolchat_core.testing import InMemoryStorage, a_conversation, a_message


async def test_the_reply_of_a_turn_whose_conversation_is_gone_is_removed_and_no_other() -> None:
    storage = InMemoryStorage()
    there, gone = a_conversation("hi"), a_conversation("hi")
    await storage.create(there)
    waiting = a_message("to begin with")
    turns = {
        name: UnfinishedTurn(
            turn_id=new_id(), conversation_id=where.id, user_message_id=new_id(), message_id=new_id(), messages=messages
        )
        for name, where, messages in (("running", there, ()), ("orphaned", gone, ()), ("waiting", gone, (waiting,)))
    }
    for turn in turns.values():
        await storage.put_record(NAMESPACE, str(turn.turn_id), turn.model_dump_json().encode())
    await storage.put_record(NAMESPACE, "unreadable", b"{")
    found = [item async for item in collect_garbage(storage, older_than=timedelta(days=1))]

    assert [(item.kind, item.place) for item in found] == [("checkpoint", f"record turns/{turns['orphaned'].turn_id}")]
    left = sorted([str(turns["running"].turn_id), str(turns["waiting"].turn_id), "unreadable"])
    assert await storage.list_records(NAMESPACE) == left
