"""Whatever happens in whatever order: an observer misses nothing, and is told nothing that it has noted."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from changing import change
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_core.mirror import MirrorMode, TrackedStorage, open_tracked
from idolchat_core.mirror.outbox import Outbox
from idolchat_core.models import utc_now
from idolchat_core.storage.changes import Change, ChangeKind, ChangeObserver, changing
from idolchat_core.testing import InMemoryStorage, a_conversation

STEPS = st.one_of(
    st.tuples(
        st.sampled_from(["append", "choose", "replace", "delete", "erase"]),
        st.sampled_from(["server", "command", "killed before", "killed after"]),
        st.integers(0, 3),
    ),
    st.tuples(st.just("create"), st.sampled_from(["server", "command"]), st.sampled_from([0, 5, 120])),
    st.tuples(
        st.sampled_from(["crash", "stop", "look", "wait", "break", "break late", "heal"]), st.just(""), st.just(0)
    ),
)


@dataclass
class Ledger(ChangeObserver):
    """Keeps revisions, which outlive processes; it may fail before it has kept one, or after."""

    revisions: dict[UUID, str] = field(default_factory=dict)
    kinds: dict[UUID, set[ChangeKind]] = field(default_factory=dict)
    fails: str = ""

    async def noted(self, conversation_id: UUID) -> str | None:
        return self.revisions.get(conversation_id)

    async def note(self, change: Change) -> None:
        if self.fails == "break":
            raise OSError("the disk is full")
        assert change.revision != self.revisions.get(change.conversation_id), "told of what was noted"
        self.kinds.setdefault(change.conversation_id, set()).update(change.kinds)
        if change.revision is None:
            del self.revisions[change.conversation_id]
        else:
            self.revisions[change.conversation_id] = change.revision
        if self.fails == "break late":
            raise OSError("the connection was lost")

    async def known(self) -> Collection[UUID]:
        return tuple(self.revisions)


@dataclass
class World:
    """A data folder, its observer, and at most one server."""

    primary: InMemoryStorage = field(default_factory=InMemoryStorage)
    ledger: Ledger = field(default_factory=Ledger)
    there: list[UUID] = field(default_factory=list)
    server: TrackedStorage | None = None
    process: AsyncExitStack | None = None

    async def start(self) -> TrackedStorage:
        if self.server is None:
            self.server = open_tracked(self.primary, ["ledger"], mode=MirrorMode.REPLICATE)
            self.process = AsyncExitStack()
            await self.process.enter_async_context(self.server.telling({"ledger": self.ledger}))
        return self.server

    async def end(self, error: Exception | None) -> None:
        if self.process is not None:
            with suppress(RuntimeError):
                await self.process.__aexit__(type(error) if error else None, error, None)
        self.server = self.process = None

    async def take(self, step: str, by: str, number: int) -> None:
        match step:
            case "crash" | "stop":
                self.ledger.fails = ""
                await self.end(RuntimeError("killed") if step == "crash" else None)
            case "look":
                await (await self.start()).feeds[0].look()
            case "wait":
                await asyncio.sleep(0.002)
            case "break" | "break late" | "heal":
                self.ledger.fails = "" if step == "heal" else step
            case "create":
                made = a_conversation("one", updated_at=utc_now() - timedelta(minutes=number), created_at=utc_now())
                await (await self.writer(by)).create(made)
                self.there.append(made.id)
            case _ if self.there:
                await self.change(step, by, self.there[number % len(self.there)])

    async def writer(self, by: str) -> TrackedStorage:
        server = await self.start()
        return server if by == "server" else open_tracked(self.primary, ["ledger"], mode=MirrorMode.RECORD)

    async def change(self, step: str, by: str, conversation_id: UUID) -> None:
        if by.startswith("killed"):
            await Outbox(self.primary, "changes.ledger").add(conversation_id, _KINDS[step])
            if by == "killed before":
                return
            by = "primary"
        storage = self.primary if by == "primary" else await self.writer(by)
        if step in ("delete", "erase"):
            with changing(_KINDS[step]):
                await storage.delete(conversation_id)
            self.there.remove(conversation_id)
        else:
            await change(storage, step, conversation_id)

    async def is_followed(self) -> bool:
        stored = {one: (await self.primary.read_page(one, limit=1)).revision for one in self.there}
        return self.ledger.revisions == stored


_KINDS = {
    "append": ChangeKind.STORED,
    "choose": ChangeKind.HEAD_MOVED,
    "replace": ChangeKind.IMPORTED,
    "delete": ChangeKind.DELETED,
    "erase": ChangeKind.USER_ERASED,
}


@settings(max_examples=80, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_in_the_end_the_observer_has_noted_what_is_stored(steps: list[tuple[str, str, int]]) -> None:
    async def run() -> None:
        world = World()
        for step in steps:
            await world.take(*step)
        world.ledger.fails = ""
        await world.end(None)
        server = await world.start()
        async with asyncio.timeout(60):
            await server.feeds[0].look()
            await server.feeds[0].has_copied()

        assert await world.is_followed()
        await world.end(None)
        told = dict(world.ledger.revisions)
        await world.start()
        await world.end(None)
        assert world.ledger.revisions == told

    asyncio.run(run())
