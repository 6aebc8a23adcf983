"""Records of mirrored namespaces are copied, restored and deleted as conversations are."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_core.errors import StorageConflict, StorageUnavailable
from idolchat_core.mirror import (
    Difference,
    MirroredStorage,
    MirrorMode,
    MirrorTuning,
    compare,
    open_mirrored,
    repair_all,
    restore_all,
)
from idolchat_core.models import new_id
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.records import NO_RECORD
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, a_conversation

type Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

QUICK = MirrorTuning(settle_s=0.0, rest_s=0.001, look_every_s=0.002, first_pause_s=0.001, longest_pause_s=0.002)
PATIENCE_S = 60


@asynccontextmanager
async def opening(
    primary: Storage,
    *mirrors: Storage,
    mode: MirrorMode = MirrorMode.REPLICATE,
    records: tuple[str, ...] = ("characters", "assets"),
) -> AsyncGenerator[MirroredStorage]:
    def opens(mirror: Storage) -> Callable[[], nullcontext[Storage]]:
        return lambda: nullcontext(mirror)

    factories = {f"objects{number}": opens(mirror) for number, mirror in enumerate(mirrors)}
    async with open_mirrored(primary, factories, records=records, mode=mode, tuning=QUICK) as storage:
        yield storage


async def records_in(storage: Storage, *namespaces: str) -> dict[str, bytes | None]:
    return {
        f"{namespace}/{name}": await storage.get_record(namespace, name)
        for namespace in namespaces or ("characters", "assets")
        for name in await storage.list_records(namespace)
    }


async def test_records_of_mirrored_namespaces_alone_are_copied(
    primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    async with opening(primary, mirror) as storage:
        await storage.put_record("characters", "mio", b"first")
        await storage.put_record("characters", "mio", b"second", durable=False)
        await storage.put_record("assets", "mio.png", bytes(range(256)))
        await storage.put_record("turns", "x", b"not mirrored")
        await storage.has_copied()

    assert await records_in(mirror) == {"characters/mio": b"second", "assets/mio.png": bytes(range(256))}
    assert await mirror.list_records("turns") == []
    assert [name for name in await primary.list_namespaces() if name.endswith(".outbox")] == []


async def test_a_deletion_in_an_outage_reaches_the_mirror_after_a_restart(
    primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    async with opening(primary, mirror) as storage:
        await storage.put_record("characters", "mio", b"value")
        await storage.put_record("characters", "rin", b"value")
        await storage.has_copied()
        mirror.is_down = True
        await storage.delete_record("characters", "mio")
        await storage.put_record("characters", "rin", b"changed")
    mirror.is_down = False
    async with opening(primary, mirror) as storage:
        await storage.has_copied()

    assert await records_in(mirror) == {"characters/rin": b"changed"}


async def test_what_a_command_changes_is_copied_by_the_server(
    primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    async with opening(primary, mirror), opening(primary, mirror, mode=MirrorMode.RECORD) as command:
        await command.put_record("characters", "mio", b"value")
        await until(lambda: holds(mirror, b"value"))
        await command.delete_record("characters", "mio")
        await until(lambda: holds(mirror, None))


async def holds(storage: Storage, value: bytes | None) -> bool:
    return await storage.get_record("characters", "mio") == value


async def test_a_lost_record_comes_back_on_use_to_all_sides(mirror: InMemoryObjects) -> None:
    await mirror.put_record("characters", "mio", b"kept")
    primary, other = InMemoryStorage(), InMemoryObjects()
    async with opening(primary, other, mirror) as storage:
        for read in await asyncio.gather(*(storage.get_record("characters", "mio") for _ in range(5))):
            assert read == b"kept"
        assert (await storage.read_record("characters", "mio") or (b"",))[0] == b"kept"
        await storage.has_copied()

    assert await primary.get_record("characters", "mio") == await other.get_record("characters", "mio") == b"kept"


async def test_a_record_that_only_the_mirror_has_is_not_made_anew(
    primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    await mirror.put_record("characters", "mio", b"kept")
    async with opening(primary, mirror) as storage:
        with pytest.raises(StorageConflict):
            await storage.put_record("characters", "mio", b"new", if_version=NO_RECORD)
        assert await storage.get_record("characters", "mio") == b"kept"


async def test_nothing_is_taken_for_missing_while_the_mirror_may_have_it(
    primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    mirror.is_down = True
    made_here = str(new_id())
    async with opening(primary, mirror) as storage:
        with pytest.raises(StorageUnavailable, match="record characters/mio is not here"):
            await storage.get_record("characters", "mio")
        assert await storage.get_record("characters", made_here) is None
        assert await storage.get_record("turns", "mio") is None
        await storage.put_record("characters", made_here, b"new", if_version=NO_RECORD)


async def test_once_the_mirror_was_asked_an_unknown_name_costs_no_call(
    primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    async with opening(primary, mirror) as storage:
        await until(lambda: has_been_asked(primary))
        before = mirror.calls
        for number in range(10):
            assert await storage.get_record("characters", str(number)) is None

    assert mirror.calls == before


async def has_been_asked(primary: Storage) -> bool:
    return await primary.get_record("mirror.objects0", "elsewhere") is not None


async def test_what_was_deleted_does_not_come_back(primary: InMemoryStorage, mirror: InMemoryObjects) -> None:
    await mirror.put_record("characters", "mio", b"only there")
    async with opening(primary, mirror, mode=MirrorMode.RECORD) as storage:
        await storage.delete_record("characters", "mio")
        assert await storage.get_record("characters", "mio") is None
        assert [one async for *_, one in restore_all(storage)] == []
    async with opening(primary, mirror) as storage:
        await storage.has_copied()

    assert await records_in(mirror) == {}


async def test_restore_brings_back_all_that_only_the_mirror_has(mirror: InMemoryObjects) -> None:
    primary, conversation = InMemoryStorage(), a_conversation("one")
    await mirror.create(conversation)
    for number in range(5):
        await mirror.put_record("characters", str(number), str(number).encode())
    await primary.put_record("characters", "0", b"mine")
    async with opening(primary, mirror, mode=MirrorMode.RECORD) as storage:
        await storage.delete_record("characters", "1")
        told = [(done, total) async for done, total, _ in restore_all(storage, dry_run=True)]
        restored = [one async for *_, one in restore_all(storage)]

    assert told == [(number, 4) for number in range(1, 5)]
    assert {one.record or one.conversation_id for one in restored if one.is_restored} == {
        conversation.id,
        *(f"characters/{number}" for number in (2, 3, 4)),
    }
    assert await records_in(primary) == {
        "characters/0": b"mine",
        **{f"characters/{number}": str(number).encode() for number in (2, 3, 4)},
    }


async def test_a_namespace_that_is_mirrored_from_now_on_is_copied_whole(
    primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    for number in range(20):
        await primary.put_record("personas", str(number), b"old")
    async with opening(primary, mirror) as storage:
        await storage.put_record("characters", "mio", b"value")
        await storage.has_copied()
        await until(lambda: has_been_asked(primary))
    async with opening(primary, mirror, records=("characters", "assets", "personas")):
        await until(lambda: has_all(mirror, "personas", 20))

    assert len(await records_in(mirror, "characters", "assets", "personas")) == 21


async def test_a_namespace_that_is_new_needs_no_mirror_to_be_up(
    primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    async with opening(primary, mirror):
        await until(lambda: has_been_asked(primary))
    mirror.is_down = True
    async with opening(primary, mirror, records=("characters", "assets", "personas")) as storage:
        assert await storage.get_record("personas", "ann") is None


async def has_all(storage: Storage, namespace: str, count: int) -> bool:
    return len(await storage.list_records(namespace)) == count


async def test_a_mirror_that_was_lost_gets_every_record_again(
    primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    async with opening(primary, mirror) as storage:
        await storage.put_record("characters", "mio", b"value")
        await storage.has_copied()
        await until(lambda: is_identified(primary))
    empty = InMemoryObjects()
    async with opening(primary, empty):
        await until(lambda: has_all(empty, "characters", 1))

    assert await records_in(empty) == {"characters/mio": b"value"}


async def is_identified(primary: Storage) -> bool:
    return await primary.get_record("mirror.objects0", "identity") is not None


async def differences(storage: MirroredStorage) -> dict[str | None, str]:
    found: list[Difference | None] = [one.difference async for one in compare(storage, storage.mirrors[0])]
    return {one.record: one.kind for one in found if one is not None}


async def test_sync_makes_the_records_of_both_sides_the_same(primary: InMemoryStorage, mirror: InMemoryObjects) -> None:
    await primary.put_record("characters", "mine", b"1")
    await primary.put_record("characters", "both", b"new")
    await mirror.put_record("characters", "both", b"old")
    await mirror.put_record("characters", "theirs", b"2")
    await mirror.put_record("characters", "gone", b"3")
    async with opening(primary, mirror, mode=MirrorMode.RECORD) as storage:
        await storage.delete_record("characters", "gone")
        assert await differences(storage) == {
            "characters/mine": "missing_in_mirror",
            "characters/both": "differs",
            "characters/theirs": "missing_in_primary",
            "characters/gone": "deleted",
        }
        mended = [repair async for _, repair in repair_all(storage, storage.mirrors[0]) if repair is not None]
        assert [repair.is_mended for repair in mended] == [True] * 4
        assert await differences(storage) == {}

    assert (
        await records_in(primary)
        == await records_in(mirror)
        == {"characters/mine": b"1", "characters/both": b"new", "characters/theirs": b"2"}
    )


class MortalStorage(InMemoryStorage):
    """Dies at one of its next writes of a record, before or after that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_in: int | None = None
        self.is_dead = False

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        self._live()
        version = await super().put_record(namespace, name, value, durable=durable, if_version=if_version)
        self._live()
        return version

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        self._live()
        await super().delete_record(namespace, name, if_version=if_version)
        self._live()

    def _live(self) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            self.is_dead = self.is_dead or self.dies_in < 0
        if self.is_dead:
            raise RuntimeError("the process has died")


STEPS = st.one_of(
    st.tuples(st.sampled_from(["put", "delete", "put elsewhere", "delete elsewhere"]), st.integers(0, 3)),
    st.tuples(st.just("die"), st.integers(0, 9)),
    st.tuples(st.sampled_from(["outage", "answer", "crash", "stop", "wait", "lose"]), st.just(0)),
)


@dataclass
class World:
    """A primary and a mirror that outlive the processes which use them, and what was acknowledged."""

    primary: MortalStorage = field(default_factory=MortalStorage)
    mirror: InMemoryObjects = field(default_factory=InMemoryObjects)
    wanted: dict[str, set[bytes | None]] = field(default_factory=dict)
    storage: MirroredStorage | None = None
    process: AsyncExitStack | None = None
    written: int = 0

    async def start(self) -> MirroredStorage:
        if self.storage is None:
            self.primary.is_dead, self.primary.dies_in = False, None
            self.process = AsyncExitStack()
            self.storage = await self.process.enter_async_context(opening(self.primary, self.mirror))
        return self.storage

    async def end(self, error: Exception | None) -> None:
        if self.process is not None:
            with suppress(RuntimeError):
                await self.process.__aexit__(type(error) if error else None, error, None)
        self.storage = self.process = None
        self.primary.is_dead, self.primary.dies_in = False, None

    async def take(self, step: str, number: int) -> None:
        match step:
            case "outage" | "answer":
                self.mirror.is_down = step == "outage"
            case "stop" | "crash":
                await self.end(RuntimeError("crash") if step == "crash" else None)
            case "wait":
                await asyncio.sleep(0.005)
            case "die":
                await self.start()
                self.primary.dies_in = number
            case "lose":
                await self.lose()
            case _:
                await self.change(step, f"r{number}")

    async def lose(self) -> None:
        """Lose the primary when the mirror has everything, and bring all back."""
        self.mirror.is_down = False
        await self.end(None)
        await self.settle()
        await self.end(None)
        self.primary = MortalStorage()
        async with opening(self.primary, self.mirror, mode=MirrorMode.RECORD) as storage:
            assert all([one.is_restored async for *_, one in restore_all(storage)])

    async def change(self, step: str, name: str) -> None:
        storage, self.written = await self.start(), self.written + 1
        value = None if step.startswith("delete") else str(self.written).encode()
        before = self.wanted.get(name, {None})
        self.wanted[name] = {*before, value}  # it may be made though it is never acknowledged
        try:
            if not step.endswith("elsewhere"):
                await self.write(storage, name, value)
            else:
                async with opening(self.primary, self.mirror, mode=MirrorMode.RECORD) as other:
                    await self.write(other, name, value)
            self.wanted[name] = {value}
        except RuntimeError:
            await self.end(RuntimeError("crash"))

    async def write(self, storage: MirroredStorage, name: str, value: bytes | None) -> None:
        if value is None:
            await storage.delete_record("characters", name)
        else:
            await storage.put_record("characters", name, value)

    async def are_equal(self) -> bool:
        return await records_in(self.primary) == await records_in(self.mirror)

    async def settle(self) -> None:
        await self.start()
        async with asyncio.timeout(PATIENCE_S):
            while not await self.are_equal():  # noqa: ASYNC110 - the process makes it so
                await asyncio.sleep(0.001)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_in_the_end_the_records_of_both_sides_are_what_was_acknowledged(steps: list[tuple[str, int]]) -> None:
    async def run() -> None:
        world = World()
        for step, number in steps:
            await world.take(step, number)
        world.mirror.is_down = False
        await world.end(None)
        await world.settle()
        await world.end(None)
        for name, wanted in world.wanted.items():
            assert await world.primary.get_record("characters", name) in wanted

    asyncio.run(run())
