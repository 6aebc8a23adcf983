"""Conversations with several characters."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from idolchat_core.models import Conversation
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.filters import ConversationFilter
from idolchat_core.testing.storage_rules.making import a_conversation, a_message, append, listed

__all__ = ["GroupRules"]

MIKU, RIN, LEN = uuid4(), "rin", uuid4()


def a_group(*texts: str, **fields: Any) -> Conversation:
    """Make a conversation with two characters, Miku the first."""
    return a_conversation(*texts, character_id=MIKU, character_ids=(MIKU, RIN), **fields)


class GroupRules:
    """Conversations with several characters are found under each of them."""

    async def test_a_group_is_listed_under_each_of_its_characters(self, storage: Storage) -> None:
        group = a_group("sing", user_id="ann", after_s=60)
        alone = [a_conversation("sing", user_id="ann", character_id=RIN, after_s=after_s) for after_s in (0, 120)]
        for conversation in (group, *alone, a_group("sing", user_id="bob")):
            await storage.create(conversation)
        wanted = [alone[1].id, group.id, alone[0].id]

        assert await listed(storage, user_id="ann", character_id=RIN) == wanted
        assert await listed(storage, user_id="ann", character_id=MIKU) == [group.id]
        assert await listed(storage, user_id="ann", character_id=LEN) == []
        matching = ConversationFilter(user_id="ann", character_id=RIN)
        page = await storage.list(matching, limit=1)
        found = [summary.id for summary in page.data]
        while page.next is not None:
            page = await storage.list(matching, limit=1, before=page.next)
            found += [summary.id for summary in page.data]
        assert found == wanted

    async def test_a_list_says_who_takes_part(self, storage: Storage) -> None:
        await storage.create(a_group("sing"))
        await storage.create(a_conversation("sing", character_id=LEN))
        page = await storage.list()

        found = {str(one.character_id): one.character_ids and tuple(map(str, one.character_ids)) for one in page.data}
        assert found == {str(MIKU): (str(MIKU), RIN), str(LEN): None}

    async def test_a_group_stays_one_when_it_grows(self, storage: Storage) -> None:
        group = a_group("sing")
        await storage.create(group)
        await append(storage, group, a_message("la la la", role="assistant").model_copy(update={"character_id": RIN}))
        await storage.update(group.id, {"title": "Concert"}, expected_count=2)
        read = await storage.read(group.id)

        assert (read.character_id, read.character_ids) == (MIKU, (MIKU, RIN))
        assert read.messages[1].character_id == RIN
        assert await listed(storage, character_id=RIN) == [group.id]

    async def test_a_group_is_searched_and_counted_under_each(self, storage: Storage) -> None:
        await storage.create(a_group("sing", user_id="ann"))
        await storage.create(a_conversation("sing", user_id="ann", character_id=LEN))

        for character_id in (MIKU, RIN):
            matching = ConversationFilter(user_id="ann", character_id=character_id)
            assert len((await storage.search("sing", matching)).data) == 1
            assert (await storage.stats(matching)).conversations == 1
        assert (await storage.stats()).characters == 3

    async def test_who_takes_part_can_be_changed_and_is_listed_so(self, storage: Storage) -> None:
        group = a_group("sing")
        await storage.create(group)
        members = [str(MIKU), str(LEN)]
        await storage.update(group.id, {"character_ids": members}, expected_count=1)
        stored = (await storage.read(group.id)).character_ids or ()

        assert list(map(str, stored)) == members
        assert await listed(storage, character_id=LEN) == await listed(storage, character_id=MIKU) == [group.id]
        assert await listed(storage, character_id=RIN) == []
