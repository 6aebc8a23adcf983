"""What is there when a store is opened again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pytest

from idolchat_core.errors import StorageConflict
from idolchat_core.models import new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.records import NO_RECORD
from idolchat_core.testing.storage_rules.making import (
    a_conversation,
    a_message,
    append,
    append_retrying,
    listed,
    texts_of,
)

__all__ = ["Reopen", "ReopeningRules"]

WRITERS = 50

type Reopen = Callable[[], AbstractAsyncContextManager[Storage]]
"""Opens what the ``storage`` of a test holds once more, as another process or a later start would."""


class ReopeningRules:
    """What is there when a store is opened again."""

    persistent: ClassVar[bool] = True
    """Whether what is stored is there when the store is opened again."""
    shared: ClassVar[bool] = True
    """Whether the store may be open twice at a time, with appends from both sides."""
    shares_records: ClassVar[bool] = True
    """Whether the same holds for records, which are then written with ``if_version``."""

    @pytest.fixture
    def again(self, request: pytest.FixtureRequest) -> Reopen:
        """Return ``reopen``; the test is skipped where the store is not persistent."""
        if not self.persistent:
            pytest.skip("persistent = False")
        reopen: Reopen = request.getfixturevalue("reopen")
        return reopen

    async def test_everything_is_there_when_the_store_is_opened_again(self, storage: Storage, again: Reopen) -> None:
        turn_id = new_id()
        conversation = a_conversation("one", title="kept")
        await storage.create(conversation)
        await append(storage, conversation, a_message("two", turn_id=turn_id))
        await storage.update(conversation.id, {"head": str(conversation.messages[0].id)}, expected_count=2)
        version = await storage.put_record("notes", "a", b"value")
        stored = await storage.read(conversation.id)
        gone = a_conversation("gone")
        await storage.create(gone)
        await storage.delete(gone.id)

        async with again() as reopened:
            assert await reopened.read(conversation.id) == stored
            assert await listed(reopened) == [conversation.id]
            assert await reopened.find_turn(turn_id) == conversation.id
            assert await reopened.read_record("notes", "a") == (b"value", version)

    async def test_a_conversation_goes_on_when_the_store_is_opened_again(self, storage: Storage, again: Reopen) -> None:
        conversation = a_conversation("one")
        two = a_message("two")
        await storage.create(conversation)
        await append(storage, conversation, two)
        async with again() as reopened:
            await append(reopened, conversation, two)
            await append(reopened, conversation, a_message("three"), expected_count=2)

            assert await texts_of(reopened, conversation.id) == ["one", "two", "three"]

    async def test_two_openers_see_and_keep_what_each_other_writes(self, storage: Storage, again: Reopen) -> None:
        if not self.shared:
            pytest.skip("shared = False")
        conversation = a_conversation("start")
        messages = [a_message(str(number)) for number in range(WRITERS)]
        await storage.create(conversation)
        async with again() as other:
            sides = (storage, other)
            await asyncio.gather(
                *(
                    append_retrying(sides[number % 2], conversation.id, message, expected_count=1)
                    for number, message in enumerate(messages)
                )
            )
            read = [(await side.read(conversation.id)).messages for side in sides]

        assert read[0] == read[1]
        assert {message.id for message in read[0][1:]} == {message.id for message in messages}
        assert len(read[0]) == WRITERS + 1

    async def test_of_two_openers_none_replaces_a_record_that_the_other_has_changed(
        self, storage: Storage, again: Reopen
    ) -> None:
        if not self.shares_records:
            pytest.skip("shares_records = False")
        async with again() as other:
            await asyncio.gather(*(_count_up((storage, other)[number % 2]) for number in range(WRITERS)))

            assert await other.get_record("counts", "a") == str(WRITERS).encode()


async def _count_up(storage: Storage) -> None:
    """Add one to a number that is a record, as one of many who do."""
    while True:
        read = await storage.read_record("counts", "a")
        value, version = (int(read.value), read.version) if read else (0, NO_RECORD)
        try:
            await storage.put_record("counts", "a", str(value + 1).encode(), if_version=version)
        except StorageConflict:
            continue
        return
