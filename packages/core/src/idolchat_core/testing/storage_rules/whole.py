"""What put, delete and check do."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from idolchat_core.errors import ConversationNotFound
from idolchat_core.models import new_id
from idolchat_core.storage import document
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import (
    a_conversation,
    a_message,
    append,
    listed,
)

__all__ = ["WholeRules"]


class WholeRules:
    """What put, delete and check do."""

    async def test_put_stores_what_is_not_there_yet(self, storage: Storage) -> None:
        conversation = a_conversation("one", title="kept")
        await storage.put(conversation)

        assert await storage.read(conversation.id) == conversation

    async def test_a_document_is_put_as_it_was_read(self, storage: Storage) -> None:
        stored = a_conversation("one", "two 🌸", title="kept")
        copied = a_conversation("other", id=stored.id, after_s=-60)
        await storage.put(stored)
        read = await storage.read_document(stored.id)
        await storage.put(copied)
        await storage.put_document(stored.id, read)

        assert await storage.read(stored.id) == stored
        assert [summary.message_count for summary in (await storage.list()).data] == [2]
        await append(storage, stored, a_message("three"))

    @pytest.mark.parametrize("texts", [(), ("new",), ("one", "two", "three", "four 🌸" * 1000)])
    async def test_put_replaces_all_that_was_there(self, storage: Storage, texts: tuple[str, ...]) -> None:
        old = a_conversation("one", "two", "three", title="old", mood="calm")
        new = a_conversation(*texts, id=old.id, title="new", after_s=-5)
        turn_id = new_id()
        await storage.create(old)
        await storage.put(new)
        await append(storage, new, a_message("after", turn_id=turn_id))

        read = await storage.read(old.id)
        assert (read.messages[:-1], read.messages[-1].content) == (new.messages, "after")
        assert (read.user_id, read.model_extra) == (new.user_id, {"title": "new"})
        assert await storage.find_turn(turn_id) == old.id

    async def test_a_document_of_the_original_service_can_be_put_and_continued(self, storage: Storage) -> None:
        conversation_id = new_id()
        original = {
            "messages": [
                {"role": "user", "content": "Hello!", "timestamp": "2024-05-01T10:00:00", "mood": "shy"},
                {"role": "assistant", "content": "Hi! 🌸", "timestamp": "2024-05-01T10:00:05.250000"},
            ],
            "scene": {"place": "stage"},
            "user_id": "ann",
            "id": str(conversation_id),
            "created_at": "2024-05-01T09:59:59",
        }
        adopted = document.decode(json.dumps(original, indent=2).encode(), conversation_id)
        await storage.put(adopted)
        await append(storage, adopted, a_message("And now?"))

        read = await storage.read(conversation_id)
        assert read.messages[:2] == adopted.messages
        assert (read.messages[0].model_extra, read.model_extra) == ({"mood": "shy"}, {"scene": {"place": "stage"}})
        assert read.created_at == datetime(2024, 5, 1, 9, 59, 59, tzinfo=UTC)

    async def test_what_is_deleted_is_gone_and_its_id_free(self, storage: Storage) -> None:
        conversation, other = a_conversation("one"), a_conversation("other")
        await storage.create(conversation)
        await storage.create(other)
        await storage.delete(conversation.id)

        with pytest.raises(ConversationNotFound):
            await storage.read(conversation.id)
        assert await listed(storage) == [other.id]
        again = a_conversation("again", id=conversation.id)
        await storage.create(again)
        assert await storage.read(conversation.id) == again

    async def test_a_store_that_can_be_written_says_so(self, storage: Storage) -> None:
        await storage.check()
