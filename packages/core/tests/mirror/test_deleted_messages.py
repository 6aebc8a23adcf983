"""A deleted message's text goes from mirrors, and never comes back from one."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import pytest

from idolchat_core import Conversation, Message
from idolchat_core.conversations.messages import erase_message
from idolchat_core.errors import ConversationDamaged
from idolchat_core.mirror import MirroredStorage, MirrorMode
from idolchat_core.mirror.repair import repair_all, restore_all
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, a_conversation, a_message

type Opening = Callable[..., AbstractAsyncContextManager[MirroredStorage]]

SECRET = "zqsecret"


@pytest.fixture
def conversation() -> Conversation:
    return a_conversation("one", SECRET, "three")


async def mirrored(opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, made: Conversation) -> None:
    async with opened(primary, mirror) as storage:
        await storage.create(made)
        await storage.has_copied()
    assert [message.content for message in (await mirror.read(made.id)).messages] == ["one", SECRET, "three"]


async def texts(storage: InMemoryStorage | InMemoryObjects, conversation_id: UUID) -> list[object]:
    return [message.content for message in (await storage.read(conversation_id)).messages]


def secret_of(conversation: Conversation) -> Message:
    return conversation.messages[1]


async def held(storage: InMemoryStorage) -> list[bytes | None]:
    """Read what is kept of mirrors' other histories."""
    names = await storage.list_records("mirror.replaced")
    return [await storage.get_record("mirror.replaced", name) for name in names]


@pytest.mark.parametrize("mode", [MirrorMode.REPLICATE, MirrorMode.RECORD])
async def test_a_deletion_reaches_the_mirror(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, conversation: Conversation, mode: MirrorMode
) -> None:
    await mirrored(opened, primary, mirror, conversation)
    async with opened(primary, mirror, mode=mode) as storage:
        await erase_message(storage, conversation.id, secret_of(conversation).id)
    async with opened(primary, mirror) as storage:
        await storage.has_copied()

    assert await mirror.read_document(conversation.id) == await primary.read_document(conversation.id)
    assert await texts(mirror, conversation.id) == ["one", None, "three"]


async def test_sync_copies_a_deletion_and_restores_no_text(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, conversation: Conversation
) -> None:
    await mirrored(opened, primary, mirror, conversation)
    await erase_message(primary, conversation.id, secret_of(conversation).id)
    more = a_message("four")
    await mirror.append(conversation.id, [more], expected_count=3, updated_at=more.timestamp)
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        [_ async for _ in restore_all(storage)]
        [_ async for _ in repair_all(storage, storage.mirrors[0])]

    for side in (primary, mirror):
        assert await texts(side, conversation.id) == ["one", None, "three", "four"]


async def test_another_history_is_kept_aside_without_what_was_deleted(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, conversation: Conversation
) -> None:
    await primary.put(conversation)
    await erase_message(primary, conversation.id, secret_of(conversation).id)
    other = (*conversation.messages[:2], a_message("elsewhere"))
    await mirror.put(conversation.model_copy(update={"messages": other}))
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        [_ async for _ in repair_all(storage, storage.mirrors[0])]
    [kept] = await held(primary)

    assert kept is not None
    assert SECRET.encode() not in kept
    assert b"elsewhere" in kept
    assert await texts(mirror, conversation.id) == ["one", None, "three"]


class DamagedStorage(InMemoryStorage):
    """One whose conversations are damaged until they are put anew; all of their messages can be read."""

    is_damaged = False

    async def read_document(self, conversation_id: UUID) -> bytes:
        if self.is_damaged:
            raise ConversationDamaged("its end is not readable")
        return await super().read_document(conversation_id)

    async def put(self, conversation: Conversation) -> None:
        self.is_damaged = False
        await super().put(conversation)


async def test_a_damaged_conversation_is_healed_without_what_was_deleted(
    opened: Opening, mirror: InMemoryObjects, conversation: Conversation
) -> None:
    primary = DamagedStorage()
    await primary.put(conversation)
    await mirror.put(conversation)
    await erase_message(primary, conversation.id, secret_of(conversation).id)
    primary.is_damaged = True
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        [_ async for _ in repair_all(storage, storage.mirrors[0])]

    assert not primary.is_damaged
    assert await texts(primary, conversation.id) == ["one", None, "three"]
