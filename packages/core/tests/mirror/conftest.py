"""A primary and an object store that mirrors it, at a pace for tests."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import pytest

from idolchat_core.mirror import MirroredStorage, MirrorMode, MirrorTuning, open_mirrored
from idolchat_core.storage.contract import Storage
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, SharedInMemoryStorage

type Opening = Callable[..., AbstractAsyncContextManager[MirroredStorage]]

type Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

PATIENCE_S = 60
QUICK = MirrorTuning(settle_s=0.0, rest_s=0.02, look_every_s=0.01, first_pause_s=0.002, longest_pause_s=0.01)


@asynccontextmanager
async def opening(
    primary: Storage, mirror: Storage, *, mode: MirrorMode = MirrorMode.REPLICATE, tuning: MirrorTuning = QUICK
) -> AsyncGenerator[MirroredStorage]:
    async with open_mirrored(primary, {"objects": lambda: nullcontext(mirror)}, mode=mode, tuning=tuning) as storage:
        yield storage


@pytest.fixture
def opened() -> Opening:
    """Return a function that opens a primary with a mirror."""
    return opening


@pytest.fixture
def primary(request: pytest.FixtureRequest) -> InMemoryStorage:
    """Return an empty primary, which one process has, or with the parameter "shared" any number."""
    return SharedInMemoryStorage() if getattr(request, "param", "alone") == "shared" else InMemoryStorage()


@pytest.fixture
def mirror() -> InMemoryObjects:
    """Return an empty mirror."""
    return InMemoryObjects()


@pytest.fixture
async def storage(primary: InMemoryStorage, mirror: InMemoryObjects) -> AsyncGenerator[MirroredStorage]:
    """Return the two together, open."""
    async with opening(primary, mirror) as storage:
        yield storage


@pytest.fixture
def until() -> Until:
    """Return a function that waits until something is so."""

    async def wait(is_so: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await is_so():  # noqa: ASYNC110 - whatever it is, it happens in this loop
                await asyncio.sleep(0)

    return wait


@pytest.fixture
async def surveyed(storage: MirroredStorage, primary: InMemoryStorage, until: Until) -> MirroredStorage:
    """Return the two together, when it is known what the mirror holds."""

    async def is_surveyed() -> bool:
        return await primary.get_record("mirror.objects", "elsewhere") is not None

    await until(is_surveyed)
    return storage
