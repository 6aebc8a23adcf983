"""What is found is held against the storage: by revisions, and message by message only where these differ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import Conversation, Message, Page, Storage, new_id, read_settings, utc_now
from idolchat_core.testing import InMemoryStorage, a_conversation
from idolchat_memory.feed import MemoryFeed
from idolchat_memory.groups import scope_of
from idolchat_memory.recall import RecallQuery
from idolchat_memory.searching import search
from idolchat_memory.service import Memory, open_memory
from idolchat_memory.settings import MemorySettings

MIA = UUID(int=1)


class CountedStorage(InMemoryStorage):
    pages = 0

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        self.pages += 1
        return await super().read_page(conversation_id, limit=limit, before=before)

    async def revisions(self, conversation_ids: object) -> dict[UUID, str]:
        before = self.pages
        try:
            return dict(await super().revisions(conversation_ids))  # type: ignore[arg-type]
        finally:
            self.pages = before


@pytest.fixture
def storage() -> CountedStorage:
    return CountedStorage()


@pytest.fixture
async def memory(storage: Storage, tmp_path: Path) -> AsyncIterator[Memory]:
    async with open_memory(read_settings(MemorySettings, data_dir=tmp_path, semantic="off"), storage) as memory:
        yield memory


async def indexed(memory: Memory, *texts: str) -> Conversation:
    """Store a conversation, and index it."""
    conversation = a_conversation(*texts).model_copy(update={"user_id": MIA})
    await memory.storage.create(conversation)
    await MemoryFeed(memory.index, memory.storage, anonymous=False).bring(conversation.id)
    return conversation


async def found(memory: Memory, conversation: Conversation) -> set[str]:
    scope = scope_of(conversation)
    query = RecallQuery("What is my dog called?", now=utc_now(), floor=None)
    result = await search(memory, [scope], query, asking=scope)
    return {item.row.message.text for item in result.items}


async def test_of_a_conversation_that_is_as_it_was_indexed_nothing_is_read(
    memory: Memory, storage: CountedStorage
) -> None:
    conversation = await indexed(memory, "My dog is called Biscuit", "A dog with a sweet name")
    storage.pages = 0

    assert await found(memory, conversation) == {"My dog is called Biscuit", "A dog with a sweet name"}
    assert storage.pages == 0


async def test_what_was_deleted_is_not_found_before_the_index_has_followed(memory: Memory) -> None:
    conversation = await indexed(memory, "My dog is called Biscuit", "A dog with a sweet name")
    gone = conversation.messages[0].model_copy(update={"content": None, "deleted_at": utc_now()})
    await memory.storage.replace_message(conversation.id, gone)

    assert await found(memory, conversation) == {"A dog with a sweet name"}
    await memory.storage.delete(conversation.id)
    assert await found(memory, conversation) == set()


async def test_what_goes_on_is_found_before_the_index_has_followed(memory: Memory) -> None:
    conversation = await indexed(memory, "My dog is called Biscuit", "A dog with a sweet name")
    more = Message(id=new_id(), role="user", content="And my cat?", timestamp=utc_now())
    await memory.storage.append(conversation.id, [more], expected_count=2, updated_at=more.timestamp)

    assert await found(memory, conversation) == {"My dog is called Biscuit", "A dog with a sweet name"}


async def test_what_became_another_user_s_is_not_found(memory: Memory) -> None:
    conversation = await indexed(memory, "My dog is called Biscuit", "A dog with a sweet name")
    await memory.storage.put(conversation.model_copy(update={"user_id": UUID(int=2)}))

    assert await found(memory, conversation) == set()
