"""What the primary has lost comes back from the mirror when somebody asks for it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID, uuid4

import pytest
from uuid_utils import compat as uuid_utils

from idolchat_core.errors import ConversationExists, ConversationNotFound, StorageUnavailable
from idolchat_core.mirror import MirroredStorage, MirrorMode
from idolchat_core.models import Conversation, new_id, utc_now
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, a_conversation, a_message

pytestmark = pytest.mark.parametrize("primary", ["alone", "shared"], indirect=True)

type Opening = Callable[..., AbstractAsyncContextManager[MirroredStorage]]

USES: dict[str, Callable[[MirroredStorage, UUID], Awaitable[object]]] = {
    "read": lambda storage, key: storage.read(key),
    "read_page": lambda storage, key: storage.read_page(key, limit=1),
    "read_document": lambda storage, key: storage.read_document(key),
    "append": lambda storage, key: storage.append(key, [a_message()], expected_count=2, updated_at=utc_now()),
    "update": lambda storage, key: storage.update(key, {"mood": "calm"}, expected_count=2),
}


@pytest.fixture
async def lost(mirror: InMemoryObjects) -> Conversation:
    """Return a conversation that only the mirror holds."""
    conversation = a_conversation("one", "two", id=uuid4())
    await mirror.create(conversation)
    return conversation


@pytest.mark.parametrize("use", USES)
async def test_a_lost_conversation_comes_back_on_use(
    lost: Conversation, storage: MirroredStorage, primary: InMemoryStorage, use: str
) -> None:
    await USES[use](storage, lost.id)

    assert (await primary.read(lost.id)).messages[:2] == lost.messages


async def test_it_comes_back_once_however_many_ask(
    lost: Conversation, surveyed: MirroredStorage, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    before = mirror.calls
    asked = [surveyed.read(lost.id) for _ in range(10)]
    read, *_ = await asyncio.gather(*asked, surveyed.read_page(lost.id, limit=1))
    await surveyed.has_copied()

    assert read == lost
    assert mirror.calls < before + len(asked)  # one, and at times one of the copier's, to see that it is the same
    assert await primary.read(lost.id) == lost


async def test_it_cannot_be_created_anew(lost: Conversation, storage: MirroredStorage) -> None:
    with pytest.raises(ConversationExists):
        await storage.create(a_conversation("empty", id=lost.id))

    assert await storage.read(lost.id) == lost


async def test_nothing_that_the_mirror_may_hold_is_taken_for_missing_while_it_is_down(
    lost: Conversation, opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    mirror.is_down = True
    async with opened(primary, mirror) as storage:
        for use in USES.values():
            with pytest.raises(StorageUnavailable, match="may hold it"):
                await use(storage, lost.id)
        with pytest.raises(StorageUnavailable, match="may hold it"):
            await storage.create(a_conversation("empty", id=lost.id))
        with pytest.raises(StorageUnavailable, match="may hold it"):
            await storage.delete(lost.id)
        mirror.is_down = False

        assert await storage.read(lost.id) == lost


async def test_what_has_just_been_made_needs_no_mirror(
    lost: Conversation, opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    mirror.is_down = True
    async with opened(primary, mirror) as storage:
        conversation = a_conversation("one", id=new_id())
        with pytest.raises(ConversationNotFound):
            await storage.read(conversation.id)
        await storage.create(conversation)

        assert await storage.read(conversation.id) == conversation


async def test_an_id_that_was_made_elsewhere_a_moment_ago_is_not_taken_for_unknown(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    """As when the folder is lost within a minute of what was said there."""
    conversation = a_conversation("one", "two", id=uuid_utils.uuid7())
    await mirror.create(conversation)
    mirror.is_down = True
    async with opened(primary, mirror) as storage:
        with pytest.raises(StorageUnavailable, match="may hold it"):
            await storage.create(a_conversation("another history", id=conversation.id))
        mirror.is_down = False

        assert await storage.read(conversation.id) == conversation


async def test_once_the_mirror_was_asked_an_outage_keeps_nobody_from_beginning(
    lost: Conversation, surveyed: MirroredStorage, opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    mirror.is_down = True
    async with opened(primary, mirror, mode=MirrorMode.PUSH) as later:
        for storage in (surveyed, later):
            conversation = a_conversation("one", id=uuid4())
            with pytest.raises(ConversationNotFound):
                await storage.read(conversation.id)
            await storage.create(conversation)
            with pytest.raises(StorageUnavailable):
                await storage.read(lost.id)


async def test_an_unknown_id_costs_no_call_once_the_mirror_was_asked(
    surveyed: MirroredStorage, mirror: InMemoryObjects
) -> None:
    before = mirror.calls
    for _ in range(10):
        with pytest.raises(ConversationNotFound):
            await surveyed.read(uuid4())

    assert mirror.calls == before


async def test_what_was_deleted_does_not_come_back(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    conversation = a_conversation("one", id=uuid4())
    async with opened(primary, mirror) as storage:
        await storage.create(conversation)
        await storage.has_copied()
        mirror.is_down = True
        await storage.delete(conversation.id)
    await primary.delete_record("mirror.objects", "elsewhere")  # as if it were not known what the mirror holds
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        mirror.is_down = False
        with pytest.raises(ConversationNotFound):
            await storage.read(conversation.id)


async def test_a_lost_conversation_can_be_deleted(
    lost: Conversation, storage: MirroredStorage, mirror: InMemoryObjects
) -> None:
    await storage.delete(lost.id)
    await storage.has_copied()

    assert await mirror.list_ids() == []
