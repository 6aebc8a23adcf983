"""What lists hold, and how a turn is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from idolchat_core.errors import InvalidRequest
from idolchat_core.models import ConversationSummary, new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.filters import ConversationFilter
from idolchat_core.testing.storage_rules.making import (
    START,
    a_conversation,
    a_message,
    append,
    listed,
)

__all__ = ["ListingRules"]


class ListingRules:
    """What lists hold, and how a turn is found."""

    async def test_lists_are_newest_first_and_say_what_is_in_each(self, storage: Storage) -> None:
        conversations = [a_conversation("x", after_s=number * (-1) ** number) for number in range(4)]
        await asyncio.gather(*map(storage.create, conversations))
        listed = await storage.list()
        newest = max(conversations, key=lambda conversation: conversation.updated_at)

        assert [summary.updated_at for summary in listed.data] == sorted(
            (conversation.updated_at for conversation in conversations), reverse=True
        )
        assert listed.data[0] == ConversationSummary(
            id=newest.id,
            user_id=newest.user_id,
            character_id=newest.character_id,
            created_at=newest.created_at,
            updated_at=newest.updated_at,
            message_count=1,
        )
        assert listed.next is None

    async def test_owners_are_kept_apart_in_lists(self, storage: Storage) -> None:
        ann, bob = uuid4(), "bob"
        miku, rin = uuid4(), "rin"
        made = {
            (user, character): a_conversation("hi", user_id=user, character_id=character)
            for user in (ann, bob)
            for character in (miku, rin)
        }
        await asyncio.gather(*map(storage.create, made.values()))

        for user in (ann, bob, uuid4(), ""):
            mine = {stored.id for (owner, _), stored in made.items() if owner == user}
            assert set(await listed(storage, user_id=user)) == mine
            for character in (miku, rin, "len"):
                wanted = [made[user, character].id] if (user, character) in made else []
                assert await listed(storage, user_id=user, character_id=character) == wanted
        assert set(await listed(storage, character_id=miku)) == {made[ann, miku].id, made[bob, miku].id}
        assert set(await listed(storage, user_id=str(ann))) == set(await listed(storage, user_id=ann))

    async def test_a_list_can_be_limited_to_a_time(self, storage: Storage) -> None:
        first, second, third = (a_conversation(user_id="ann", after_s=60 * number) for number in range(3))
        await asyncio.gather(*map(storage.create, (first, second, third, a_conversation(after_s=60))))

        assert await listed(storage, since=third.updated_at) == [third.id]
        assert await listed(storage, user_id="ann", since=second.updated_at) == [third.id, second.id]
        assert await listed(storage, until=second.updated_at) == [first.id]
        assert await listed(storage, user_id="ann", since=second.updated_at, until=third.updated_at) == [second.id]
        page = await storage.list(ConversationFilter(user_id="ann", since=second.updated_at), limit=1)
        assert await listed(storage, user_id="ann", since=second.updated_at, before=page.next) == [second.id]

    @pytest.mark.parametrize("same_time", [False, True])
    async def test_pages_of_a_list_hold_everything_once(self, storage: Storage, *, same_time: bool) -> None:
        user = uuid4()
        conversations = [
            a_conversation(user_id=user, after_s=0 if same_time else number // 2, created_at=START)
            for number in range(11)
        ]
        await asyncio.gather(*map(storage.create, conversations), storage.create(a_conversation("another's")))
        listed = [summary async for summary in pages_of(storage, user_id=user, limit=3)]

        assert len(listed) == 11
        assert {summary.id for summary in listed} == {conversation.id for conversation in conversations}
        times = [summary.updated_at for summary in listed]
        assert times == sorted(times, reverse=True)

    async def test_ids_are_those_of_all_conversations(self, storage: Storage) -> None:
        conversations = [a_conversation("x", user_id=None), *(a_conversation(after_s=number) for number in range(6))]
        await asyncio.gather(*map(storage.create, conversations))
        await storage.put_record("conversations", "x", b"no conversation")
        await storage.delete(conversations.pop().id)

        assert sorted(await storage.list_ids()) == sorted(conversation.id for conversation in conversations)

    async def test_a_list_page_that_ends_with_the_last_one_has_no_next(self, storage: Storage) -> None:
        await asyncio.gather(*(storage.create(a_conversation("x")) for _ in range(4)))

        assert (await storage.list(limit=4)).next is None
        assert (await storage.list(limit=3)).next is not None

    @pytest.mark.parametrize("before", ["", "x", "1.2.3", "' OR 1=1", "9" * 400, "\0", "🌸"])
    async def test_a_list_does_not_guess_what_a_wrong_next_means(self, storage: Storage, before: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await storage.list(before=before)
        assert refused.value.param == "before"

    async def test_a_list_is_as_new_as_the_last_write(self, storage: Storage) -> None:
        old, other = a_conversation("one"), a_conversation("x", after_s=60)
        await storage.create(old)
        await storage.create(other)
        assert await listed(storage) == [other.id, old.id]

        await append(storage, old, a_message("two"))
        assert [(summary.id, summary.message_count) for summary in (await storage.list()).data] == [
            (old.id, 2),
            (other.id, 1),
        ]

        await storage.delete(other.id)
        assert await listed(storage) == [old.id]

        await storage.put(a_conversation(id=old.id, user_id=old.user_id, after_s=-60))
        assert [summary.message_count for summary in (await storage.list()).data] == [0]

    async def test_a_turn_is_found_in_its_conversation(self, storage: Storage) -> None:
        first, second, third = new_id(), new_id(), new_id()
        conversation, other = a_conversation("one"), a_conversation()
        other = other.model_copy(update={"messages": (a_message("hi", turn_id=first),)})
        await storage.create(conversation)
        await storage.create(other)
        await append(storage, conversation, a_message("two", turn_id=second), a_message("three", turn_id=second))
        await append(storage, conversation, a_message("four", turn_id=third), expected_count=3)

        found = [await storage.find_turn(turn_id) for turn_id in (first, second, third, new_id())]
        assert found == [other.id, conversation.id, conversation.id, None]

    async def test_the_turns_of_what_is_gone_are_not_found(self, storage: Storage) -> None:
        deleted, replaced = new_id(), new_id()
        gone = a_conversation().model_copy(update={"messages": (a_message("hi", turn_id=deleted),)})
        other = a_conversation().model_copy(update={"messages": (a_message("hi", turn_id=replaced),)})
        await storage.create(gone)
        await storage.create(other)
        await storage.delete(gone.id)
        await storage.put(other.model_copy(update={"messages": ()}))

        assert await storage.find_turn(deleted) is None
        assert await storage.find_turn(replaced) is None


async def pages_of(storage: Storage, *, user_id: UUID, limit: int) -> AsyncIterator[ConversationSummary]:
    before: str | None = None
    while True:
        page = await storage.list(ConversationFilter(user_id=user_id), limit=limit, before=before)
        assert len(page.data) <= limit
        for summary in page.data:
            yield summary
        before = page.next
        if before is None:
            return
