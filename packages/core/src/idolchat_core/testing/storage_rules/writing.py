"""What create, append and update do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from idolchat_core.errors import ConversationExists, InvalidRequest, StorageConflict
from idolchat_core.models import Usage, new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import (
    START,
    TEXTS,
    a_conversation,
    a_message,
    append,
    append_retrying,
    texts_of,
)

__all__ = ["WritingRules"]

WRITERS = 50


class WritingRules:
    """What create, append and update do."""

    async def test_a_conversation_comes_back_unchanged(self, storage: Storage) -> None:
        conversation = a_conversation("Hello!", "Hi!", title="First", mood={"joy": [1, 2.5, None, True]})
        await storage.create(conversation)

        assert await storage.read(conversation.id) == conversation

    async def test_a_conversation_without_messages_can_be_stored(self, storage: Storage) -> None:
        conversation = a_conversation(user_id=None, character_id=None)
        await storage.create(conversation)

        assert await storage.read(conversation.id) == conversation

    async def test_an_id_is_taken_once(self, storage: Storage) -> None:
        first = a_conversation("first")
        await storage.create(first)

        with pytest.raises(ConversationExists):
            await storage.create(a_conversation("second", id=first.id))
        assert await storage.read(first.id) == first

    async def test_of_many_who_create_the_same_conversation_one_succeeds(self, storage: Storage) -> None:
        rivals = [a_conversation(str(number), id=UUID(int=7)) for number in range(10)]
        results = await asyncio.gather(*map(storage.create, rivals), return_exceptions=True)
        winners = [rival for rival, result in zip(rivals, results, strict=True) if isinstance(result, str)]

        assert len(winners) == 1
        assert sum(isinstance(result, ConversationExists) for result in results) == 9
        assert await storage.read(UUID(int=7)) == winners[0]

    async def test_messages_come_back_oldest_first(self, storage: Storage) -> None:
        conversation = a_conversation()
        await storage.create(conversation)
        for number in range(10):
            await append(storage, conversation, a_message(str(number)), expected_count=number)

        assert await texts_of(storage, conversation.id) == [str(number) for number in range(10)]

    async def test_messages_given_together_keep_their_order(self, storage: Storage) -> None:
        conversation = a_conversation("0")
        await storage.create(conversation)
        await append(storage, conversation, *(a_message(str(number)) for number in range(1, 10)))

        assert await texts_of(storage, conversation.id) == [str(number) for number in range(10)]

    async def test_every_field_of_a_message_comes_back(self, storage: Storage) -> None:
        conversation = a_conversation("Hello!")
        reply = a_message(
            "Hi!",
            role="assistant",
            model="some/model",
            finish_reason="stop",
            usage=Usage(input_tokens=12, output_tokens=3, cost=0.000125),
            turn_id=new_id(),
            parent_id=conversation.messages[0].id,
            idempotency_key='"k-1"',
            request_hash="0" * 64,
            tool_calls=[{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            reasoning_details=[{"type": "reasoning.text", "text": "…", "big": 10**30}],
        )
        parts = a_message([{"type": "text", "text": "🌸"}, {"type": "image_url", "image_url": {}}], id="msg_1")
        await storage.create(conversation)
        await append(storage, conversation, reply, parts)

        assert (await storage.read(conversation.id)).messages[1:] == (reply, parts)

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
    async def test_any_text_comes_back_unchanged(self, storage: Storage, text: str) -> None:
        conversation = a_conversation(text, title=text)
        await storage.create(conversation)
        await append(storage, conversation, a_message(text, note={"text": [text]}))
        await storage.update(conversation.id, {"subtitle": text}, expected_count=2)

        read = await storage.read(conversation.id)
        assert [message.content for message in read.messages] == [text, text]
        assert read.messages[1].model_extra == {"note": {"text": [text]}}
        assert read.model_extra == {"title": text, "subtitle": text}

    async def test_half_a_surrogate_pair_does_not_lose_the_message(self, storage: Storage) -> None:
        conversation = a_conversation("a\ud83cb")
        await storage.create(conversation)
        await append(storage, conversation, a_message("\ud83c\udf38"))

        assert await texts_of(storage, conversation.id) == ["a\ufffdb", "🌸"]

    async def test_a_message_that_could_not_be_read_again_is_refused(self, storage: Storage) -> None:
        conversation = a_conversation("Hello!")
        deep: list[Any] = []
        for _ in range(300):
            deep = [deep]
        await storage.create(conversation)

        with pytest.raises(InvalidRequest):
            await append(storage, conversation, a_message("fine"), a_message("deep", x=deep))
        assert await storage.read(conversation.id) == conversation

    async def test_appending_sets_updated_at_and_forgets_the_head(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two", title="kept")
        conversation = conversation.model_copy(update={"head": conversation.messages[0].id})
        await storage.create(conversation)
        await append(storage, conversation, a_message("three"))

        read = await storage.read(conversation.id)
        assert read.head is None
        assert read.updated_at == START + timedelta(hours=1)
        assert (read.created_at, read.model_extra) == (conversation.created_at, {"title": "kept"})

    async def test_appending_nothing_changes_nothing(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)
        await append(storage, conversation)

        assert await storage.read(conversation.id) == conversation

    @pytest.mark.parametrize("expected_count", [0, 1, 3, 1000])
    async def test_a_wrong_count_is_a_conflict_that_tells_the_right_one(
        self, storage: Storage, expected_count: int
    ) -> None:
        conversation = a_conversation("one", "two")
        await storage.create(conversation)

        with pytest.raises(StorageConflict) as conflict:
            await append(storage, conversation, a_message("three"), expected_count=expected_count)
        assert conflict.value.actual_count == 2
        assert await storage.read(conversation.id) == conversation

    async def test_a_message_added_twice_is_there_once(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        two, three, four = (a_message(text) for text in ("two", "three", "four"))
        await storage.create(conversation)
        for messages, expected in (([two, three], 1), ([two, three], 1), ([four], 3), ([two, three], 1), ([two], 1)):
            await append(storage, conversation, *messages, expected_count=expected)

        assert await texts_of(storage, conversation.id) == ["one", "two", "three", "four"]

    async def test_other_messages_in_that_place_are_a_conflict(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        two, three = a_message("two"), a_message("three")
        await storage.create(conversation)
        await append(storage, conversation, two)

        for messages in ([three], [two, three], [three, two]):
            with pytest.raises(StorageConflict):
                await append(storage, conversation, *messages, expected_count=1)
        assert await texts_of(storage, conversation.id) == ["one", "two"]

    async def test_the_same_ids_with_other_contents_are_a_conflict(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        reply = a_message("all of the reply", role="assistant", finish_reason="stop")
        part = reply.model_copy(update={"content": "all of", "finish_reason": "incomplete"})
        await storage.create(conversation)
        await append(storage, conversation, part)

        with pytest.raises(StorageConflict) as conflict:
            await append(storage, conversation, reply)
        assert conflict.value.actual_count == 2
        assert await texts_of(storage, conversation.id) == ["one", "all of"]

    async def test_the_head_is_set_together_with_the_messages(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two", title="kept")
        head = conversation.messages[0].id
        await storage.create(conversation)
        await append(storage, conversation, a_message("three"), a_message("four"), head=head)

        read = await storage.read(conversation.id)
        assert (read.head, read.model_extra) == (head, {"title": "kept"})
        assert [message.content for message in read.messages] == ["one", "two", "three", "four"]

    async def test_concurrent_writers_who_retry_are_all_there_in_order(self, storage: Storage) -> None:
        conversation = a_conversation("start")
        messages = [a_message(str(number)) for number in range(WRITERS)]
        await storage.create(conversation)
        await asyncio.gather(
            *(append_retrying(storage, conversation.id, message, expected_count=1) for message in messages)
        )

        read = await storage.read(conversation.id)
        assert sorted(message.id for message in read.messages[1:]) == sorted(message.id for message in messages)
        assert read.messages[0].content == "start"

    async def test_writers_of_many_conversations_do_not_meet(self, storage: Storage) -> None:
        conversations = [a_conversation("start") for _ in range(WRITERS)]
        await asyncio.gather(*map(storage.create, conversations))
        await asyncio.gather(
            *(append(storage, conversation, a_message(str(conversation.id))) for conversation in conversations)
        )

        for conversation in conversations:
            assert await texts_of(storage, conversation.id) == ["start", str(conversation.id)]

    async def test_a_cancelled_append_has_happened_or_not(self, storage: Storage) -> None:
        conversation = a_conversation("start")
        await storage.create(conversation)
        for rounds_of_the_loop in range(20):
            expected = rounds_of_the_loop + 1
            message = a_message(str(rounds_of_the_loop))
            task = asyncio.create_task(append(storage, conversation, message, expected_count=expected))
            for _ in range(rounds_of_the_loop):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await append(storage, conversation, message, expected_count=expected)

        assert await texts_of(storage, conversation.id) == ["start", *map(str, range(20))]

    async def test_fields_are_set_and_removed_and_nothing_else_changes(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two", title="old", mood="calm")
        head = conversation.messages[0].id
        await storage.create(conversation)
        changes = {"head": str(head), "title": "a much longer title than before", "mood": None}
        await storage.update(conversation.id, changes, expected_count=2)

        read = await storage.read(conversation.id)
        assert (read.head, read.model_extra) == (head, {"title": "a much longer title than before"})
        assert read.messages == conversation.messages
        assert (read.created_at, read.updated_at) == (conversation.created_at, conversation.updated_at)

    async def test_fields_can_change_again_and_again(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)
        for number, title in enumerate(("x" * 5000, "y", "z" * 700, "")):
            await storage.update(conversation.id, {"title": title}, expected_count=number + 1)
            await append(storage, conversation, a_message(title), expected_count=number + 1)

        read = await storage.read(conversation.id)
        assert read.model_extra == {"title": ""}
        assert [message.content for message in read.messages[1:]] == ["x" * 5000, "y", "z" * 700, ""]

    async def test_an_update_of_what_has_changed_meanwhile_is_a_conflict(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two")
        await storage.create(conversation)

        with pytest.raises(StorageConflict) as conflict:
            await storage.update(conversation.id, {"title": "x"}, expected_count=1)
        assert conflict.value.actual_count == 2
        assert await storage.read(conversation.id) == conversation

    @pytest.mark.parametrize("name", ["id", "created_at", "updated_at", "user_id", "character_id", "messages"])
    async def test_ids_times_and_messages_are_not_set_by_update(self, storage: Storage, name: str) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)

        with pytest.raises(InvalidRequest):
            await storage.update(conversation.id, {name: "x"}, expected_count=1)
        assert await storage.read(conversation.id) == conversation
