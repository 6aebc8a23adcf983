"""What is changed reaches the mirror, as it is in the primary."""

import asyncio

import pytest

from idolchat_core.errors import ConversationNotFound
from idolchat_core.mirror import MirroredStorage
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, a_conversation, a_message

pytestmark = pytest.mark.parametrize("primary", ["alone", "shared"], indirect=True)


async def test_what_is_created_and_added_reaches_the_mirror(
    storage: MirroredStorage, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    conversation, added = a_conversation("one"), a_message("two")
    await storage.create(conversation)
    await storage.append(conversation.id, [added], expected_count=1, updated_at=added.timestamp)
    await storage.has_copied()

    assert await mirror.read_document(conversation.id) == await primary.read_document(conversation.id)


async def test_a_chosen_branch_and_a_replacement_reach_the_mirror(
    storage: MirroredStorage, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    chosen, replaced = a_conversation("one", "two"), a_conversation("old", "longer")
    await asyncio.gather(storage.create(chosen), storage.create(replaced))
    await storage.has_copied()
    await storage.update(chosen.id, {"head": str(chosen.messages[0].id)}, expected_count=2)
    await storage.put(a_conversation("new", id=replaced.id))
    await storage.has_copied()

    for conversation in (chosen, replaced):
        assert await mirror.read_document(conversation.id) == await primary.read_document(conversation.id)


async def test_what_is_deleted_is_deleted_in_the_mirror_and_its_id_free(
    storage: MirroredStorage, mirror: InMemoryObjects
) -> None:
    conversation, other = a_conversation("one"), a_conversation("other")
    await asyncio.gather(storage.create(conversation), storage.create(other))
    await storage.has_copied()
    await storage.delete(conversation.id)
    await storage.has_copied()

    assert await mirror.list_ids() == [other.id]
    with pytest.raises(ConversationNotFound):
        await storage.read(conversation.id)
    again = a_conversation("again", id=conversation.id)
    await storage.create(again)
    await storage.has_copied()
    assert await mirror.read(conversation.id) == again


async def test_many_changes_of_one_conversation_are_few_copies(
    storage: MirroredStorage, mirror: InMemoryObjects
) -> None:
    mirror.is_down = True
    conversation = a_conversation("one")
    await storage.create(conversation)
    for count in range(1, 200):
        await storage.append(conversation.id, [a_message()], expected_count=count, updated_at=conversation.updated_at)
    mirror.is_down = False
    await storage.has_copied()

    assert len((await mirror.read(conversation.id)).messages) == 200
    assert len(mirror.uploads) <= 2


async def test_a_copy_that_would_change_nothing_is_not_made(storage: MirroredStorage, mirror: InMemoryObjects) -> None:
    conversation = a_conversation("one")
    await storage.create(conversation)
    await storage.has_copied()
    await storage.append(
        conversation.id, [conversation.messages[0]], expected_count=0, updated_at=conversation.updated_at
    )
    await storage.has_copied()

    assert len(mirror.uploads) == 1
