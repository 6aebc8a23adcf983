"""An observer is told of every change of a storage that several processes share, again where it fails."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import pytest

from idolchat_core import Change, ChangeKind, ChangeObserver
from idolchat_core.mirror.shared_feed import SharedFeed
from idolchat_core.testing import a_conversation
from idolchat_core.testing.shared import SharedInMemoryStorage


class Noting(ChangeObserver):
    """Keeps what it was told, and fails where it is to."""

    def __init__(self, *, is_shared: bool = False) -> None:
        self.is_shared = is_shared
        self.revisions: dict[UUID, str] = {}
        self.told: list[Change] = []
        self.fails = False

    async def noted(self, conversation_id: UUID) -> str | None:
        return self.revisions.get(conversation_id)

    async def note(self, change: Change) -> None:
        if self.fails:
            raise RuntimeError("not now")
        self.told.append(change)
        if change.revision is None:
            del self.revisions[change.conversation_id]
        else:
            self.revisions[change.conversation_id] = change.revision

    async def known(self) -> Collection[UUID]:
        return list(self.revisions)


@pytest.fixture
def storage() -> SharedInMemoryStorage:
    return SharedInMemoryStorage()


async def test_what_was_stored_changed_and_deleted_is_told_once(storage: SharedInMemoryStorage) -> None:
    observer = Noting()
    feed = SharedFeed(storage, "notes", observer)
    conversation = a_conversation("one")
    first = await storage.create(conversation)
    await feed.look()
    await feed.look()
    second = await storage.update(conversation.id, {"title": "x"}, expected_count=1)
    await feed.look()
    await storage.delete(conversation.id)
    await feed.look()

    assert [change.revision for change in observer.told] == [first, second, None]
    assert observer.told[-1].kinds == (ChangeKind.DELETED,)


async def test_a_change_that_an_observer_fails_on_is_told_again(storage: SharedInMemoryStorage) -> None:
    observer = Noting()
    feed = SharedFeed(storage, "notes", observer)
    await storage.create(a_conversation("one"))
    observer.fails = True
    await feed.look()
    assert "fails on 1 conversation" in feed.failing["observer notes"]

    observer.fails = False
    await feed.look()
    assert len(observer.told) == 1
    assert feed.failing == {}


async def test_what_was_deleted_while_nobody_looked_is_told_at_the_start(storage: SharedInMemoryStorage) -> None:
    observer = Noting()
    gone = UUID(int=7)
    observer.revisions[gone] = "1"
    await SharedFeed(storage, "notes", observer).look()

    assert [(change.conversation_id, change.revision) for change in observer.told] == [(gone, None)]


async def test_whoever_is_chosen_next_goes_on_where_the_one_before_stopped(storage: SharedInMemoryStorage) -> None:
    await storage.create(a_conversation("one"))
    await SharedFeed(storage, "notes", Noting(is_shared=True)).look()
    new = a_conversation("two")
    await storage.create(new)
    observer = Noting(is_shared=True)
    await SharedFeed(storage, "notes", observer).look()

    assert [change.conversation_id for change in observer.told] == [new.id]


async def test_who_is_not_chosen_tells_nothing(storage: SharedInMemoryStorage) -> None:
    class Crowded(SharedInMemoryStorage):
        async def is_chosen(self, task: str) -> bool:
            return False

    crowded, shared, own = Crowded(), Noting(is_shared=True), Noting()
    await crowded.create(a_conversation("one"))
    await SharedFeed(crowded, "notes", shared).look()
    await SharedFeed(crowded, "others", own).look()

    assert (shared.told, len(own.told)) == ([], 1)
