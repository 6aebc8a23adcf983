"""Whatever happens in whatever order: in the end both sides are the same, and what was deleted is gone."""

import asyncio
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from changing import change
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_core.mirror import MirroredStorage, MirrorMode, MirrorTuning, open_mirrored
from idolchat_core.models import utc_now
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, a_conversation

QUICK = MirrorTuning(settle_s=0.0, rest_s=0.001, look_every_s=0.002, first_pause_s=0.001, longest_pause_s=0.002)
PATIENCE_S = 60

STEPS = st.one_of(
    st.tuples(st.sampled_from(["append", "delete", "choose", "replace", "delete elsewhere"]), st.integers(0, 3)),
    st.tuples(st.just("create"), st.sampled_from([0, 5, 120])),
    st.tuples(st.sampled_from(["outage", "answer", "crash", "stop", "wait"]), st.just(0)),
)


@dataclass
class World:
    """A primary and a mirror that outlive the processes which use them, and what is to be there."""

    primary: InMemoryStorage = field(default_factory=InMemoryStorage)
    mirror: InMemoryObjects = field(default_factory=InMemoryObjects)
    there: list[UUID] = field(default_factory=list)
    gone: list[UUID] = field(default_factory=list)
    storage: MirroredStorage | None = None
    process: AsyncExitStack | None = None

    async def start(self) -> MirroredStorage:
        if self.storage is None:
            self.process = AsyncExitStack()
            opening = open_mirrored(self.primary, {"objects": lambda: nullcontext(self.mirror)}, tuning=QUICK)
            self.storage = await self.process.enter_async_context(opening)
        return self.storage

    async def end(self, error: Exception | None) -> None:
        if self.process is not None:
            await self.process.__aexit__(type(error) if error else None, error, None)
        self.storage = self.process = None

    async def take(self, step: str, number: int) -> None:
        match step:
            case "outage" | "answer":
                self.mirror.is_down = step == "outage"
            case "stop":
                await self.end(None)
            case "crash":
                with suppress(RuntimeError):
                    await self.end(RuntimeError("crash"))
            case "wait":
                await asyncio.sleep(0.005)
            case "create":
                made = a_conversation("one", updated_at=utc_now() - timedelta(minutes=number), created_at=utc_now())
                await (await self.start()).create(made)
                self.there.append(made.id)
            case _ if self.there:
                await self.change(await self.start(), step, self.there[number % len(self.there)])

    async def change(self, storage: MirroredStorage, step: str, conversation_id: UUID) -> None:
        if step.startswith("delete"):
            await self.delete(storage, conversation_id, elsewhere=step == "delete elsewhere")
        else:
            await change(storage, step, conversation_id)

    async def delete(self, storage: MirroredStorage, conversation_id: UUID, *, elsewhere: bool) -> None:
        factories = {"objects": lambda: nullcontext(self.mirror)}
        async with open_mirrored(self.primary, factories, mode=MirrorMode.RECORD, tuning=QUICK) as other:
            await (other if elsewhere else storage).delete(conversation_id)
        self.there.remove(conversation_id)
        self.gone.append(conversation_id)

    async def are_equal(self) -> bool:
        sides = [{key: await side.read_document(key) for key in await side.list_ids()} for side in self.sides]
        return sides[0] == sides[1] and sorted(sides[0]) == sorted(self.there)

    @property
    def sides(self) -> tuple[InMemoryStorage, InMemoryObjects]:
        return self.primary, self.mirror


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_in_the_end_both_sides_are_the_same(steps: list[tuple[str, int]]) -> None:
    async def run() -> None:
        world = World()
        for step, number in steps:
            await world.take(step, number)
        world.mirror.is_down = False
        await world.start()
        async with asyncio.timeout(PATIENCE_S):
            while not await world.are_equal():  # noqa: ASYNC110 - the process makes it so
                await asyncio.sleep(0.001)
        await world.end(None)

        assert not set(world.gone) & set(await world.mirror.list_ids())

    asyncio.run(run())
