"""Observers are told of every change that they have not noted, whoever made it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from idolchat_core.conversations.messages import erase_message
from idolchat_core.mirror import MirrorMode, TrackedStorage, open_tracked
from idolchat_core.mirror.outbox import Outbox
from idolchat_core.models import new_id, utc_now
from idolchat_core.storage.changes import Change, ChangeKind, ChangeObserver, changing
from idolchat_core.testing import InMemoryStorage, a_conversation, a_message

type Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@dataclass
class Notebook(ChangeObserver):
    """Keeps the revisions and all that it was told."""

    revisions: dict[UUID, str] = field(default_factory=dict)
    told: list[Change] = field(default_factory=list)
    is_broken: bool = False

    async def noted(self, conversation_id: UUID) -> str | None:
        return self.revisions.get(conversation_id)

    async def note(self, change: Change) -> None:
        if self.is_broken:
            raise RuntimeError("the notebook is lost")
        self.told.append(change)
        if change.revision is None:
            self.revisions.pop(change.conversation_id, None)
        else:
            self.revisions[change.conversation_id] = change.revision

    async def known(self) -> Collection[UUID]:
        return tuple(self.revisions)

    def kinds(self, conversation_id: UUID) -> list[ChangeKind]:
        return [kind for change in self.told if change.conversation_id == conversation_id for kind in change.kinds]


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@asynccontextmanager
async def serving(primary: InMemoryStorage, notebook: Notebook) -> AsyncGenerator[TrackedStorage]:
    storage = open_tracked(primary, ["notebook"], mode=MirrorMode.REPLICATE)
    async with storage.telling({"notebook": notebook}):
        yield storage


@pytest.fixture
async def served(primary: InMemoryStorage, notebook: Notebook) -> AsyncGenerator[TrackedStorage]:
    async with serving(primary, notebook) as storage:
        yield storage


def command(primary: InMemoryStorage) -> TrackedStorage:
    """Return the storage as a command on the same data folder opens it."""
    return open_tracked(primary, ["notebook"], mode=MirrorMode.RECORD)


async def told(storage: TrackedStorage) -> None:
    async with asyncio.timeout(60):
        for consumer in storage.consumers:
            await consumer.has_copied()


async def test_an_observer_is_told_what_happened_and_which_revision_it_has_now(
    served: TrackedStorage, notebook: Notebook
) -> None:
    conversation, added = a_conversation("one"), a_message("two")
    await served.create(conversation)
    await told(served)
    with changing(ChangeKind.EDITED):
        await served.append(conversation.id, [added], expected_count=1, updated_at=added.timestamp)
    await told(served)
    await served.update(conversation.id, {"head": str(conversation.messages[0].id)}, expected_count=2)
    await told(served)
    await served.delete(conversation.id)
    await told(served)

    kinds = [change.kinds for change in notebook.told]
    revisions = [change.revision for change in notebook.told]
    assert kinds == [("stored",), ("edited",), ("head_moved",), ("deleted",)]
    assert (len(set(revisions)), revisions[-1]) == (4, None)


CHANGES: dict[str, Callable[[TrackedStorage, Any], Awaitable[object]]] = {
    "stored": lambda storage, one: storage.append(one.id, [a_message()], expected_count=1, updated_at=utc_now()),
    "message_deleted": lambda storage, one: erase_message(storage, one.id, one.messages[0].id),
    "head_moved": lambda storage, one: storage.update(one.id, {"head": str(one.messages[0].id)}, expected_count=1),
    "imported": lambda storage, one: storage.put(a_conversation("other", "longer", id=one.id)),
    "deleted": lambda storage, one: storage.delete(one.id),
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("runs", [True, False], ids=["beside a server", "before a start"])
async def test_what_a_command_changes_is_told_by_the_server(
    primary: InMemoryStorage, notebook: Notebook, kind: str, *, runs: bool
) -> None:
    conversation = a_conversation("one")
    async with serving(primary, notebook) as storage:
        await storage.create(conversation)
        await told(storage)
        if runs:
            await CHANGES[kind](command(primary), conversation)
            await storage.feeds[0].look()
            await told(storage)
    if not runs:
        await CHANGES[kind](command(primary), conversation)
        async with serving(primary, notebook) as storage:
            await storage.feeds[0].look()
            await told(storage)

    assert notebook.kinds(conversation.id) == ["stored", kind]


async def test_what_a_command_did_just_before_the_server_went_on_is_told_with_that(
    served: TrackedStorage, primary: InMemoryStorage, notebook: Notebook
) -> None:
    conversation, added = a_conversation("one"), a_message("three")
    await served.create(conversation)
    await told(served)
    await command(primary).put(a_conversation("other", "two", id=conversation.id))
    await served.append(conversation.id, [added], expected_count=2, updated_at=added.timestamp)
    await told(served)

    last = notebook.told[-1]
    assert last.revision == (await primary.read_page(conversation.id, limit=1)).revision
    assert {ChangeKind.IMPORTED, ChangeKind.STORED} == set(last.kinds)


class CountingStorage(InMemoryStorage):
    """Counts how often records are listed."""

    lists = 0

    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        self.lists += 1
        return await super().list_records(namespace, after=after, limit=limit)


async def test_the_notes_of_others_are_not_read_where_only_the_server_has_gone_on(notebook: Notebook) -> None:
    primary, conversation = CountingStorage(), a_conversation("one")
    async with serving(primary, notebook) as storage:
        await storage.feeds[0].look()
        revision: str | None = await storage.create(conversation)
        await told(storage)
        before = primary.lists
        for count in range(1, 4):
            message = a_message("more")
            revision = await storage.append(
                conversation.id, [message], expected_count=count, updated_at=utc_now(), expected_revision=revision
            )
        await told(storage)

        assert primary.lists == before
        await storage.append(conversation.id, [a_message()], expected_count=4, updated_at=utc_now())
        await told(storage)
        assert primary.lists > before


async def test_a_deletion_that_was_noted_but_not_made_yet_is_told_when_it_is_made(
    served: TrackedStorage, primary: InMemoryStorage, notebook: Notebook
) -> None:
    conversation = a_conversation("one")
    await served.create(conversation)
    await told(served)
    outbox = Outbox(primary, "changes.notebook")
    note = await outbox.add(conversation.id, ChangeKind.DELETED)
    await served.feeds[0].look()
    await told(served)
    before = list(notebook.told)
    await primary.delete(conversation.id)
    await outbox.publish_done(note)
    await served.feeds[0].look()
    await told(served)

    assert len(before) == 1
    assert notebook.told[1].kinds == ("deleted",)
    assert await primary.list_records("changes.notebook.outbox") == []


async def test_a_note_of_a_writer_who_died_is_followed_and_dropped_after_a_minute(
    served: TrackedStorage, primary: InMemoryStorage, notebook: Notebook
) -> None:
    conversation = a_conversation("one")
    await served.create(conversation)
    await told(served)
    a_minute_ago = UUID(int=new_id().int - (61_000 << 80))
    name = f"{conversation.id}.{a_minute_ago.hex}"
    await primary.put_record("changes.notebook.outbox", name, b"?deleted")
    await primary.delete(conversation.id)
    await served.feeds[0].look()
    await told(served)

    assert notebook.kinds(conversation.id) == ["stored", "deleted"]
    assert await primary.list_records("changes.notebook.outbox") == []


async def test_what_an_observer_has_noted_is_not_told_again_after_a_start(
    primary: InMemoryStorage, notebook: Notebook
) -> None:
    async with serving(primary, notebook) as storage:
        for _ in range(5):
            await storage.create(a_conversation("one", updated_at=utc_now()))
    async with serving(primary, notebook) as storage:
        await storage.feeds[0].look()
        await told(storage)

    assert len(notebook.told) == 5


async def test_an_observer_that_is_new_is_told_of_everything_and_of_what_went_without_it(
    primary: InMemoryStorage, notebook: Notebook
) -> None:
    kept, gone = a_conversation("one"), a_conversation("two")
    await primary.create(kept)
    notebook.revisions[gone.id] = "of an earlier time"
    async with serving(primary, notebook) as storage:
        await storage.feeds[0].look()
        await told(storage)

    assert (notebook.kinds(kept.id), notebook.kinds(gone.id)) == (["changed"], ["deleted"])


async def test_an_observer_that_fails_is_named_and_told_again(
    served: TrackedStorage, notebook: Notebook, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    notebook.is_broken = True
    conversation = a_conversation("one")
    await served.create(conversation)

    async def has_failed() -> bool:
        return any(record.exc_info for record in caplog.records)

    await until(has_failed)
    failing = dict(served.failing)
    notebook.is_broken = False
    await told(served)

    assert failing == {"observer notebook": "it fails on 1 conversation; the log says why"}
    assert served.failing == {}
    assert notebook.kinds(conversation.id) == ["stored"]


async def test_a_deletion_with_its_user_is_told_as_such(served: TrackedStorage, notebook: Notebook) -> None:
    conversation = a_conversation("one")
    await served.create(conversation)
    await told(served)
    with changing(ChangeKind.USER_ERASED):
        await served.delete(conversation.id)
    await told(served)

    assert notebook.kinds(conversation.id) == ["stored", "user_erased"]


async def test_a_change_that_happens_twice_before_it_is_told_is_told_once(
    primary: InMemoryStorage, notebook: Notebook
) -> None:
    conversation = a_conversation("one")
    async with serving(primary, notebook) as storage:
        await storage.create(conversation)
        for count in (1, 2, 3):
            later = conversation.updated_at + timedelta(seconds=count)
            await storage.append(conversation.id, [a_message()], expected_count=count, updated_at=later)

    assert [change.kinds for change in notebook.told] == [("stored",)]
