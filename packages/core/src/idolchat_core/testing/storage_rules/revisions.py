"""What revisions tell: whether a conversation is still as somebody read it."""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

import pytest

from idolchat_core.errors import RevisionMismatch, StorageConflict
from idolchat_core.models import new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.making import a_conversation, a_message, append, texts_of

__all__ = ["RevisionRules"]


class RevisionRules:
    """What revisions tell: whether a conversation is still as somebody read it."""

    async def test_a_revision_fits_into_an_etag_and_into_no_document(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        revision = await storage.create(conversation)

        assert re.fullmatch(r"[!#-~]{1,128}", revision)
        assert b'"revision"' not in await storage.read_document(conversation.id)

    async def test_every_change_returns_the_revision_that_is_read_next(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        seen: list[str | None] = [await storage.create(conversation), await revision_of(storage, conversation.id)]
        seen += [await append(storage, conversation, a_message("two")), await revision_of(storage, conversation.id)]
        seen += [
            await storage.update(conversation.id, {"title": "x"}, expected_count=2),
            await revision_of(storage, conversation.id),
        ]

        assert seen[::2] == seen[1::2]
        assert len(set(seen)) == 3

    async def test_the_revisions_of_many_are_those_of_each(self, storage: Storage) -> None:
        first, second, gone = [a_conversation("one"), a_conversation("two"), a_conversation("three")]
        for conversation in (first, second, gone):
            await storage.create(conversation)
        await storage.delete(gone.id)
        before = await storage.revisions([first.id, second.id, gone.id, new_id()])
        await append(storage, first, a_message("more"))
        after = await storage.revisions([first.id, second.id])

        assert before.keys() == {first.id, second.id}
        assert after == {one.id: await revision_of(storage, one.id) for one in (first, second)}
        assert before[first.id] != after[first.id]
        assert before[second.id] == after[second.id]
        assert await storage.revisions([]) == {}

    async def test_a_thread_is_told_the_same_revisions_where_the_storage_can(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        await storage.create(conversation)
        asked = [conversation.id, new_id()]

        assert await asyncio.to_thread(storage.revisions_here, asked) in (None, await storage.revisions(asked))

    async def test_reading_changes_no_revision(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two", "three")
        await storage.create(conversation)
        revisions = {
            (await storage.read_page(conversation.id, limit=limit, before=before)).revision
            for limit, before in ((1, None), (50, None), (1, 2))
        }
        data, revision = await storage.read_revised(conversation.id)

        assert revisions == {revision}
        assert data == await storage.read_document(conversation.id)

    async def test_a_conversation_replaced_by_one_as_long_has_another_revision(self, storage: Storage) -> None:
        conversation = a_conversation("one", "two")
        before = await storage.create(conversation)
        other = conversation.messages[1].model_copy(update={"content": "owt"})
        await storage.put(conversation.model_copy(update={"messages": (conversation.messages[0], other)}))

        assert await revision_of(storage, conversation.id) != before
        with pytest.raises(RevisionMismatch):
            await append(storage, conversation, a_message("three"), expected_revision=before)
        assert await texts_of(storage, conversation.id) == ["one", "owt"]

    async def test_changes_of_what_is_as_expected_succeed(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        revision: str | None = await storage.create(conversation)
        for number in range(1, 4):
            message = a_message(str(number))
            revision = await append(storage, conversation, message, expected_count=number, expected_revision=revision)
        revision = await storage.update(conversation.id, {"title": "x"}, expected_count=4, expected_revision=revision)
        await storage.delete(conversation.id, expected_revision=revision)

        assert conversation.id not in await storage.list_ids()

    async def test_nothing_of_another_revision_is_changed(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        old = await storage.create(conversation)
        await storage.update(conversation.id, {"title": "new"}, expected_count=1)
        before = await storage.read_document(conversation.id)

        for change in (
            append(storage, conversation, a_message("two"), expected_revision=old),
            storage.update(conversation.id, {"title": "x"}, expected_count=1, expected_revision=old),
            storage.delete(conversation.id, expected_revision=old),
        ):
            with pytest.raises(RevisionMismatch):
                await change
        assert await storage.read_document(conversation.id) == before

    async def test_a_message_added_twice_is_there_once_whatever_the_revision(self, storage: Storage) -> None:
        conversation, two, three = a_conversation("one"), a_message("two"), a_message("three")
        revision = await storage.create(conversation)
        first = await append(storage, conversation, two, expected_revision=revision)
        await append(storage, conversation, three, expected_count=2, expected_revision=first)

        assert await append(storage, conversation, two, expected_revision=revision) is None
        assert await texts_of(storage, conversation.id) == ["one", "two", "three"]

    async def test_a_wrong_count_is_told_before_a_wrong_revision(self, storage: Storage) -> None:
        conversation = a_conversation("one")
        old = await storage.create(conversation)
        await append(storage, conversation, a_message("two"))

        with pytest.raises(StorageConflict) as conflict:
            await append(storage, conversation, a_message("three"), expected_revision=old)
        assert conflict.value.actual_count == 2


async def revision_of(storage: Storage, conversation_id: UUID) -> str:
    return (await storage.read_page(conversation_id, limit=1)).revision
