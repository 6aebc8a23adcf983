"""What the upkeep of a store finds, mends and leaves alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idolchat_core.errors import ConversationNotFound
from idolchat_core.models import Conversation, new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.maintenance import VerificationResult
from idolchat_core.testing.storage_rules.making import a_conversation, a_message, append, listed, texts_of

__all__ = ["UpkeepRules"]


class UpkeepRules:
    """What the upkeep of a store finds, mends and leaves alone."""

    async def test_nothing_is_wrong_with_what_was_stored(self, storage: Storage) -> None:
        conversation, other = a_conversation("one"), a_conversation(title="empty")
        await storage.create(conversation)
        await storage.put(other)
        await append(storage, conversation, a_message("two"), a_message("three", role="assistant"))
        await storage.update(conversation.id, {"title": "new"}, expected_count=3)
        verdicts = await verdicts_of(storage)

        assert {verdict.conversation_id: verdict.message_count for verdict in verdicts} == {
            conversation.id: 3,
            other.id: 0,
        }
        assert [verdict.issues for verdict in verdicts] == [(), ()]

    async def test_flaws_are_found_and_mended_and_no_word_is_lost(self, storage: Storage) -> None:
        flawed, sound = _flawed(), a_conversation("fine")
        await storage.put(flawed)
        await storage.put(sound)
        found = {
            verdict.conversation_id: [issue.code for issue in verdict.issues] for verdict in await verdicts_of(storage)
        }
        would = await storage.repair(flawed.id, dry_run=True)
        untouched = await storage.read(flawed.id)
        did = await storage.repair(flawed.id)

        assert found == {flawed.id: ["time_order", "duplicate_id", "reference"], sound.id: []}
        assert ([issue.code for issue in would.issues], would.kept_as) == (found[flawed.id], None)
        assert untouched == flawed
        assert (did.issues, did.kept_as is None) == (would.issues, False)
        assert [verdict.issues for verdict in await verdicts_of(storage)] == [(), ()]
        assert await texts_of(storage, flawed.id) == ["one", "two", "three", "four"]
        await append(storage, flawed, a_message("five"))

    async def test_what_needs_no_repair_is_left_as_it_is(self, storage: Storage) -> None:
        conversation = a_conversation("one", title="kept")
        await storage.create(conversation)
        repair = await storage.repair(conversation.id)

        assert (repair.issues, repair.kept_as, repair.message_count) == ((), None, 1)
        assert await storage.read(conversation.id) == conversation
        with pytest.raises(ConversationNotFound):
            await storage.repair(new_id())

    async def test_only_those_asked_for_are_verified(self, storage: Storage) -> None:
        first, second = a_conversation("one"), a_conversation("two")
        await storage.create(first)
        await storage.create(second)

        assert [v.conversation_id async for v in storage.verify([second.id, new_id()])] == [second.id]

    async def test_many_documents_are_put_at_once(self, storage: Storage) -> None:
        old = a_conversation("old")
        await storage.create(old)
        made = [a_conversation("hi", number_of_it=number) for number in range(40)]
        made.append(a_conversation("new", "newer", id=old.id))
        for conversation in made:
            await storage.put(conversation)
        documents = {conversation.id: await storage.read_document(conversation.id) for conversation in made}
        for conversation in made:
            await storage.delete(conversation.id)
        await storage.create(old)
        await storage.put_documents(documents)

        assert {conversation.id: await storage.read(conversation.id) for conversation in made} == {
            conversation.id: conversation for conversation in made
        }
        assert set(await listed(storage, limit=100)) == documents.keys()

    async def test_many_documents_are_read_at_once(self, storage: Storage) -> None:
        made = [a_conversation("hi", number_of_it=number) for number in range(200)]
        for conversation in made:
            await storage.put(conversation)
        read = await storage.read_documents([*(conversation.id for conversation in made), new_id()])

        assert read == {conversation.id: await storage.read_document(conversation.id) for conversation in made}

    async def test_what_is_derived_is_made_anew(self, storage: Storage) -> None:
        conversation = a_conversation("one two", user_id="ann")
        await storage.create(conversation)
        await storage.create(a_conversation("three"))
        done = [count async for count in storage.reindex()]

        assert done == sorted(done)
        assert await listed(storage, user_id="ann") == [conversation.id]
        assert [hit.conversation_id for hit in (await storage.search("two")).data] == [conversation.id]

    async def test_garbage_is_nothing_that_is_in_use(self, storage: Storage) -> None:
        conversation = _flawed()
        await storage.put(conversation)
        await storage.put_record("notes", "a", b"kept")
        await storage.repair(conversation.id)
        early = [item async for item in storage.collect_garbage(older_than=timedelta(days=1))]
        would = [item async for item in storage.collect_garbage(older_than=timedelta(seconds=-5), dry_run=True)]
        removed = [item async for item in storage.collect_garbage(older_than=timedelta(seconds=-5))]
        again = [item async for item in storage.collect_garbage(older_than=timedelta(seconds=-5))]

        assert (early, again) == ([], [])
        assert [item.kind for item in removed] == ["set_aside"]
        assert [item.place for item in would] == [item.place for item in removed]
        assert await texts_of(storage, conversation.id) == ["one", "two", "three", "four"]
        assert await storage.get_record("notes", "a") == b"kept"

    async def test_namespaces_of_records_and_logs_are_listed(self, storage: Storage) -> None:
        await storage.put_record("keys", "a", b"1")
        await storage.append_log("ledger", "2025", b"line\n")

        assert {"keys", "ledger"} <= set(await storage.list_namespaces())


def _flawed() -> Conversation:
    one, two = a_message("one", after_s=10), a_message("two", after_s=5)
    three = a_message("three", after_s=20, id=one.id)
    four = a_message("four", after_s=30, parent_id=new_id())
    conversation = a_conversation(mood="calm")
    return conversation.model_copy(update={"messages": (one, two, three, four)})


async def verdicts_of(storage: Storage) -> list[VerificationResult]:
    return [verdict async for verdict in storage.verify()]
