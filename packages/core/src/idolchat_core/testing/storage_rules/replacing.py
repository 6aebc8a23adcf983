"""What replacing one message does, which is how its text is deleted."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from idolchat_core.errors import ConversationNotFound, InvalidRequest, StorageConflict
from idolchat_core.models import Message, deleted_form, new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import START, a_conversation, a_message, append, append_retrying

__all__ = ["ReplacingRules"]

SECRET = "zqsecret"  # noqa: S105  a word that is nowhere else


class ReplacingRules:
    """What replacing one message does, which is how its text is deleted."""

    @pytest.mark.parametrize("position", [0, 1, 2])
    async def test_a_replaced_message_keeps_its_place_and_all_else_stays(self, storage: Storage, position: int) -> None:
        conversation = a_conversation("one", "two", "three", title="kept", user_id=new_id())
        await storage.create(conversation)
        await storage.update(conversation.id, {"head": str(conversation.messages[1].id)}, expected_count=3)
        before = await storage.read(conversation.id)
        deleted = _deleted(conversation.messages[position])
        await storage.replace_message(conversation.id, deleted)

        messages = tuple(deleted if i == position else message for i, message in enumerate(conversation.messages))
        assert await storage.read(conversation.id) == before.model_copy(update={"messages": messages})
        page = await storage.read_page(conversation.id, limit=1, before=position + 1)
        assert (page.conversation.messages, page.total) == ((deleted,), 3)

    async def test_a_replaced_message_is_found_and_read_nowhere(self, storage: Storage) -> None:
        conversation = a_conversation("one", f"tell nobody: {SECRET}", "three")
        await storage.create(conversation)
        assert len((await storage.search(SECRET)).data) == 1
        await storage.replace_message(conversation.id, _deleted(conversation.messages[1]))
        await append(storage, conversation, a_message("four"), expected_count=3)

        assert (await storage.search(SECRET)).data == []
        assert [len((await storage.search(word)).data) for word in ("one", "three", "four")] == [1, 1, 1]
        assert SECRET.encode() not in await storage.read_document(conversation.id)
        assert SECRET.encode() not in await storage.read_stored(conversation.id)

    async def test_replacing_what_is_not_there_is_told(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)
        with pytest.raises(InvalidRequest):
            await storage.replace_message(conversation.id, _deleted(a_message("other")))
        with pytest.raises(ConversationNotFound):
            await storage.replace_message(new_id(), _deleted(conversation.messages[0]))

        assert await storage.read(conversation.id) == conversation

    async def test_messages_are_added_while_one_is_replaced(self, storage: Storage) -> None:
        conversation = a_conversation(SECRET)
        added = [a_message(str(number)) for number in range(10)]
        await storage.create(conversation)
        async with asyncio.TaskGroup() as writers:
            for message in added:
                writers.create_task(append_retrying(storage, conversation.id, message, expected_count=1))
            writers.create_task(_replace_retrying(storage, conversation.id, _deleted(conversation.messages[0])))

        first, *others = (await storage.read(conversation.id)).messages
        assert first.content is None
        assert {message.id for message in others} == {message.id for message in added}


def _deleted(message: Message) -> Message:
    return deleted_form(message, deleted_at=START)


async def _replace_retrying(storage: Storage, conversation_id: UUID, message: Message) -> None:
    while True:
        try:
            return await storage.replace_message(conversation_id, message)
        except StorageConflict:
            await asyncio.sleep(0)
