"""The index follows the conversations, whatever happens to them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_core import Change, ChangeKind, ChangeObserver, Conversation, MemoryScope, Message, Storage
from idolchat_core.testing import ChangeObserverConformance, InMemoryStorage, OpenObserver, memory_snapshot
from idolchat_memory.feed import MemoryFeed
from idolchat_memory.recall import Recall, RecallQuery
from idolchat_memory.sqlite import open_sqlite_index
from idolchat_memory.terms import ANALYSIS

USERS, CHARACTERS = (UUID(int=1), UUID(int=2)), (UUID(int=3), None)
SCOPES = [(user, character) for user in USERS for character in CHARACTERS]
TEXTS = ("My dog Biscuit ate the cake", "私の猫はきなこ", "Do you remember my dog?", "the")
START = datetime(2026, 3, 1, tzinfo=UTC)


class TestMemoryFeed(ChangeObserverConformance):
    @pytest.fixture
    def opening(self, storage: Storage, tmp_path: Path) -> OpenObserver:
        @asynccontextmanager
        async def opened() -> AsyncGenerator[ChangeObserver]:
            async with open_sqlite_index(tmp_path / "index.sqlite") as index:
                yield MemoryFeed(index, storage, anonymous=True)

        return opened


class Step(NamedTuple):
    """Something that happens to one of a few conversations; ``is_told`` says that the observer learns of it at once."""

    what: str
    conversation: int
    number: int
    is_told: bool


steps = st.builds(
    Step,
    st.sampled_from(
        ["say"] * 6 + ["edit", "regenerate", "head", "delete message"] * 2 + ["import", "delete", "take over"]
    ),
    st.sampled_from([0] * 6 + [1, 2, 3]),
    st.integers(0, 40),
    st.booleans(),
)


class World:
    """A storage, and an observer that is told of its changes, together, late, or after a crash."""

    def __init__(self, storage: InMemoryStorage) -> None:
        self.storage = storage
        self.kinds: dict[UUID, list[ChangeKind]] = {}
        self.minutes = 0

    async def happen(self, step: Step) -> None:
        conversation_id = UUID(int=100 + step.conversation)
        there = await self._read(conversation_id)
        if step.what == "import" or (step.what == "say" and there is None):
            scope = SCOPES[step.conversation % len(SCOPES)]
            await self._put(_conversation(conversation_id, scope, [self._message(step.number + at) for at in range(4)]))
        elif there is not None:
            chosen = there.messages[step.number % len(there.messages)]
            await getattr(self, f"_{step.what.replace(' ', '_')}")(there, chosen, step.number)

    async def _take_over(self, there: Conversation, chosen: Message, number: int) -> None:
        await self._put(there.model_copy(update=_ids(SCOPES[number % len(SCOPES)])))

    async def _say(self, there: Conversation, chosen: Message, number: int) -> None:
        last = there.head if there.head is not None else there.messages[-1].id
        parent: dict[str, Any] = {} if last == there.messages[-1].id else {"parent_id": last}
        await self._append(there, self._message(number, **parent), ChangeKind.STORED)

    async def _edit(self, there: Conversation, chosen: Message, number: int) -> None:
        sibling = self._message(number, parent_id=_parent(there, chosen), role=chosen.role)
        await self._append(there, sibling, ChangeKind.EDITED)

    async def _regenerate(self, there: Conversation, chosen: Message, number: int) -> None:
        sibling = self._message(number, parent_id=_parent(there, chosen), role="assistant")
        await self._append(there, sibling, ChangeKind.REGENERATED)

    async def _head(self, there: Conversation, chosen: Message, number: int) -> None:
        await self.storage.update(there.id, {"head": str(chosen.id)}, expected_count=len(there.messages))
        self._note(there.id, ChangeKind.HEAD_MOVED)

    async def _delete_message(self, there: Conversation, chosen: Message, number: int) -> None:
        kept = {name: getattr(chosen, name) for name in chosen.model_fields_set - {"content"}}
        gone = Message.model_validate({**kept, "content": None, "deleted_at": START})
        await self.storage.replace_message(there.id, gone)
        self._note(there.id, ChangeKind.MESSAGE_DELETED)

    async def _delete(self, there: Conversation, chosen: Message, number: int) -> None:
        await self.storage.delete(there.id)
        self._note(there.id, ChangeKind.DELETED)

    async def tell(self, feed: MemoryFeed, *, has_crashed: bool = False) -> None:
        """Tell what has happened since the last time; after a crash nobody knows what it was."""
        told = self.kinds
        if has_crashed:
            told = {UUID(int=100 + number): [] for number in range(4)}
        self.kinds = {}
        for conversation_id, kinds in told.items():
            there = await self._read(conversation_id)
            revision = None if there is None else (await self.storage.read_page(conversation_id, limit=1)).revision
            if await feed.noted(conversation_id) != revision:
                named = (ChangeKind.CHANGED,) if has_crashed else tuple(dict.fromkeys(kinds))
                await feed.note(Change(conversation_id=conversation_id, revision=revision, kinds=named))

    async def _read(self, conversation_id: UUID) -> Conversation | None:
        return await self.storage.read(conversation_id) if conversation_id in await self.storage.list_ids() else None

    async def _put(self, conversation: Conversation) -> None:
        await self.storage.put(conversation)
        self._note(conversation.id, ChangeKind.IMPORTED)

    async def _append(self, there: Conversation, message: Message, kind: ChangeKind) -> None:
        count = len(there.messages)
        await self.storage.append(there.id, [message], expected_count=count, updated_at=message.timestamp)
        self._note(there.id, kind)

    def _note(self, conversation_id: UUID, kind: ChangeKind) -> None:
        self.kinds.setdefault(conversation_id, []).append(kind)

    def _message(self, number: int, *, role: str = "", **fields: object) -> Message:
        self.minutes += 1 + 100 * (number % 5)
        given: dict[str, object] = {
            "id": UUID(int=1000 + self.minutes),
            "content": TEXTS[number % len(TEXTS)],
            **fields,
        }
        role = role or ("user", "assistant", "user", "tool")[number % 4]
        return Message.model_validate({"role": role, "timestamp": START + timedelta(minutes=self.minutes), **given})


def _conversation(conversation_id: UUID, scope: tuple[UUID, UUID | None], messages: list[Message]) -> Conversation:
    times = {"created_at": START, "updated_at": messages[-1].timestamp}
    return Conversation.model_validate({"id": conversation_id, "messages": tuple(messages), **_ids(scope), **times})


def _ids(scope: tuple[UUID, UUID | None]) -> dict[str, UUID | None]:
    return dict(zip(("user_id", "character_id"), scope, strict=True))


def _parent(conversation: Conversation, message: Message) -> UUID | str | None:
    if "parent_id" in message.model_fields_set:
        return message.parent_id
    position = [one.id for one in conversation.messages].index(message.id)
    return conversation.messages[position - 1].id if position else None


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, min_size=6, max_size=30), st.sampled_from(["told", "crash"]))
def test_the_index_equals_one_built_anew_and_no_scope_finds_what_is_another_s(
    done: list[Step], end: Literal["told", "crash"]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_check(Path(folder), done, has_crashed=end == "crash"))


async def _check(folder: Path, done: list[Step], *, has_crashed: bool) -> None:
    storage = InMemoryStorage()
    world = World(storage)
    async with open_sqlite_index(folder / "lived.sqlite") as index, open_sqlite_index(folder / "anew.sqlite") as anew:
        feed, other = (MemoryFeed(one, storage, anonymous=False) for one in (index, anew))
        for step in done:
            await world.happen(step)
            if step.is_told:
                await world.tell(feed)
        await world.tell(feed, has_crashed=has_crashed)
        for conversation_id in await storage.list_ids():
            await other.index(conversation_id, (await storage.read_page(conversation_id, limit=1)).revision)

        assert await index.verify() == []
        assert set(await index.conversations()) == set(await storage.list_ids())
        for user_id, character_id in SCOPES:
            scope = MemoryScope.model_validate({"user_id": user_id, "character_id": character_id})
            lived, rebuilt = [await one.read(scope, lambda r: memory_snapshot(r, ANALYSIS)) for one in (index, anew)]
            assert lived == rebuilt
            found = await Recall(index).search([scope], RecallQuery("dog cake きなこ the", now=START, floor=None))
            for item in found.items:
                owner = await storage.read(item.row.conversation_id)
                assert (owner.user_id, owner.character_id) == (user_id, character_id)
                assert item.row.message.text in [message.content for message in owner.messages]


async def test_what_a_turn_adds_costs_the_same_however_long_the_conversation_is(tmp_path: Path) -> None:
    class CountingStorage(InMemoryStorage):
        whole_reads = 0

        async def read(self, conversation_id: UUID) -> Conversation:
            self.whole_reads += 1
            return await super().read(conversation_id)

    storage = CountingStorage()
    world = World(storage)
    async with open_sqlite_index(tmp_path / "index.sqlite") as index:
        feed = MemoryFeed(index, storage, anonymous=False)
        await world.happen(Step("import", 0, 0, True))
        await world.tell(feed)
        for number in range(200):
            storage.whole_reads = 0
            for what in ("say", "regenerate") if number % 5 == 0 else ("say",):
                there = len((await InMemoryStorage.read(storage, UUID(int=100))).messages)
                await world.happen(Step(what, 0, there - 1 if what == "regenerate" else 4 * number, True))
            before = storage.whole_reads
            await world.tell(feed)
            told = storage.whole_reads - before
            assert told == 1  # by the test itself
        assert (await index.stats()).messages > 150
