"""What is known of a conversation once something was written to it."""

from idolchat_core import NewMessages
from idolchat_core.prompt.history import Histories, History
from idolchat_core.testing import InMemoryStorage, a_conversation, a_message
from idolchat_core.turns.message_writer import MessageWriter, Placement


async def test_messages_follow_what_they_were_placed_after_though_older_ones_are_loaded_meanwhile() -> None:
    storage, said = InMemoryStorage(), a_conversation(*map(str, range(100)))
    await storage.create(said)
    histories = Histories(storage, max_bytes=2**20)
    history = await histories.get(said.id)
    new = a_message("new")

    async def decide(history: History | None) -> Placement:
        assert history is not None
        return Placement(messages=[new], keep=len(history.path))

    async def commit(write: NewMessages) -> str | None:
        await histories.extend(history)
        count, at = write.expected_count, write.updated_at
        return await storage.append(said.id, write.messages, expected_count=count, updated_at=at)

    await MessageWriter(storage, histories).write(said.id, decide, commit, history=history)

    assert [entry.id for entry in history.path] == [message.id for message in (*said.messages, new)]
