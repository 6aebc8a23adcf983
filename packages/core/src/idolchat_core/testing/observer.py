"""What every change observer must do: a pytest class to run by overriding its fixture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import pytest

from idolchat_core.models import new_id
from idolchat_core.storage.changes import Change, ChangeKind, ChangeObserver
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.memory import InMemoryStorage
from idolchat_core.testing.storage_rules.making import a_conversation

__all__ = ["ChangeObserverConformance", "OpenObserver"]

type OpenObserver = Callable[[], AbstractAsyncContextManager[ChangeObserver]]


def _stored(conversation_id: UUID, revision: str = "1") -> Change:
    return Change(conversation_id=conversation_id, revision=revision, kinds=(ChangeKind.STORED,))


def _deleted(conversation_id: UUID) -> Change:
    return Change(conversation_id=conversation_id, revision=None, kinds=(ChangeKind.DELETED,))


@pytest.mark.asyncio
class ChangeObserverConformance:
    """The contract of ``ChangeObserver``, as tests.

    Override the fixture ``opening``; the observer reads conversations from the fixture ``storage``.
    """

    @pytest.fixture
    def storage(self) -> Storage:
        """An empty storage."""
        return InMemoryStorage()

    @pytest.fixture
    def opening(self, storage: Storage) -> OpenObserver:
        """A function that opens the observer of this test, each time on what it has kept so far."""
        raise NotImplementedError("override the fixture `opening` with a function that opens your observer")

    @pytest.fixture
    async def conversation_id(self, storage: Storage) -> UUID:
        """A conversation that is stored."""
        conversation = a_conversation("Hello!", "Good evening.")
        await storage.create(conversation)
        return conversation.id

    async def test_of_an_unknown_conversation_nothing_is_noted(self, opening: OpenObserver) -> None:
        async with opening() as observer:
            assert await observer.noted(new_id()) is None

    async def test_the_newest_revision_is_kept(self, opening: OpenObserver, conversation_id: UUID) -> None:
        async with opening() as observer:
            for revision in ("1", "2"):
                await observer.note(_stored(conversation_id, revision))

            assert await observer.noted(conversation_id) == "2"

    async def test_a_revision_is_kept_across_restarts(self, opening: OpenObserver, conversation_id: UUID) -> None:
        async with opening() as observer:
            await observer.note(_stored(conversation_id))
        async with opening() as observer:
            assert await observer.noted(conversation_id) == "1"

    async def test_of_a_deleted_conversation_nothing_is_kept(
        self, opening: OpenObserver, storage: Storage, conversation_id: UUID
    ) -> None:
        async with opening() as observer:
            await observer.note(_stored(conversation_id))
            await storage.delete(conversation_id)
            await observer.note(_deleted(conversation_id))

            assert await observer.noted(conversation_id) is None
            assert conversation_id not in await observer.known()

    async def test_a_conversation_that_goes_while_it_is_told_is_no_error(
        self, opening: OpenObserver, storage: Storage, conversation_id: UUID
    ) -> None:
        async with opening() as observer:
            await storage.delete(conversation_id)
            await observer.note(_stored(conversation_id))
            await observer.note(_deleted(conversation_id))

            assert await observer.noted(conversation_id) is None

    async def test_one_that_is_deleted_may_come_again(self, opening: OpenObserver, conversation_id: UUID) -> None:
        async with opening() as observer:
            for change in (_stored(conversation_id), _deleted(conversation_id), _stored(conversation_id, "3")):
                await observer.note(change)

            assert await observer.noted(conversation_id) == "3"

    async def test_several_conversations_are_told_at_once(self, opening: OpenObserver, storage: Storage) -> None:
        conversations = [a_conversation("Hello!") for _ in range(8)]
        for conversation in conversations:
            await storage.create(conversation)
        async with opening() as observer:
            changes = [_stored(conversation.id, str(number)) for number, conversation in enumerate(conversations)]
            await asyncio.gather(*map(observer.note, changes))

            noted = [await observer.noted(conversation.id) for conversation in conversations]
        assert noted == [str(number) for number in range(8)]
