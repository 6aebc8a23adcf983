"""How the parts that are chosen are opened together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace

import pytest
from one_engine import ask

from idolchat_core import LLMProvider, Registry, Storage, hookimpl
from idolchat_core.coordination.contract import Bus, Coordination
from idolchat_core.coordination.local import LocalBus, local_coordination
from idolchat_core.errors import ConfigurationError, StorageUnavailable
from idolchat_core.mirror import MirroredStorage
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.service import open_service
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, ScriptedProvider, SharedInMemoryStorage


@asynccontextmanager
async def scripted() -> AsyncGenerator[ScriptedProvider]:
    yield ScriptedProvider()


class MirrorPlugin:
    """Offers a primary, a mirror that opens at the given attempt, and one that is not set up."""

    def __init__(self, *, opens_at: int = 1) -> None:
        self.primary, self.mirror = InMemoryStorage(), InMemoryObjects()
        self._opens_at = opens_at
        self._attempts = 0

    @asynccontextmanager
    async def _open_mirror(self) -> AsyncGenerator[Storage]:
        self._attempts += 1
        if self._attempts < self._opens_at:
            raise StorageUnavailable("no connection")
        yield self.mirror

    @asynccontextmanager
    async def _open_wrong(self, key: str = "") -> AsyncGenerator[Storage]:
        if not key:
            raise ConfigurationError("MIRROR_KEY is not set")
        yield self.mirror

    @hookimpl
    def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
        registry.add("local", lambda: nullcontext(self.primary))
        registry.add("objects", self._open_mirror)
        registry.add("wrong", self._open_wrong)

    @hookimpl
    def idolchat_register_llm_providers(self, registry: Registry[LLMProvider]) -> None:
        registry.add("local", scripted)


async def test_an_open_service_answers() -> None:
    plugins = load_plugins(MirrorPlugin(), installed=False)
    async with open_service(CoreSettings(), plugins) as service:
        request = ask("Hi")
        ended = await (await service.turns.start(request)).ended()

    assert ended.message is not None
    assert ended.message.content == "Hi"


@pytest.mark.parametrize("opens_at", [1, 3], ids=["at once", "later"])
async def test_what_is_said_is_copied_to_the_mirrors(opens_at: int) -> None:
    plugin = MirrorPlugin(opens_at=opens_at)
    settings = CoreSettings.model_validate({"storage": ("local", "objects")})
    async with open_service(settings, load_plugins(plugin, installed=False), recovers=True) as service:
        request = ask("Hi")
        turn = await service.turns.start(request)
        await turn.ended()
        assert isinstance(service.storage, MirroredStorage)
        async with asyncio.timeout(60):
            await service.storage.has_copied()

        assert await plugin.mirror.read(turn.conversation_id) == await plugin.primary.read(turn.conversation_id)
        assert (service.mirror.pending, service.mirror.is_ok) == (0, True)


async def test_a_mirror_that_is_not_set_up_stops_the_start() -> None:
    settings = CoreSettings.model_validate({"storage": ("local", "wrong")})

    with pytest.raises(ConfigurationError, match="MIRROR_KEY is not set"):
        async with open_service(settings, load_plugins(MirrorPlugin(), installed=False)):
            pass


class Shared(SharedInMemoryStorage):
    """Is opened by several processes, which share what coordinates them."""

    def __init__(self) -> None:
        super().__init__()
        self.coordination = local_coordination(self)

    @asynccontextmanager
    async def open_coordination(self, bus: Bus | None = None) -> AsyncGenerator[Coordination]:
        self.coordination = replace(self.coordination, bus=bus or self.coordination.bus)
        yield self.coordination

    @hookimpl
    def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
        registry.add("shared", lambda: nullcontext(self), is_shared=True)

    @hookimpl
    def idolchat_register_buses(self, registry: Registry[Bus]) -> None:
        registry.add("wire", lambda: nullcontext(LocalBus("named")))

    @hookimpl
    def idolchat_register_llm_providers(self, registry: Registry[LLMProvider]) -> None:
        registry.add("local", lambda: nullcontext(ScriptedProvider([asyncio.Event()])))


async def test_turns_on_a_shared_storage_are_coordinated_by_it() -> None:
    storage = Shared()
    settings = CoreSettings(shutdown_grace_s=0)
    async with open_service(settings, load_plugins(storage, installed=False), recovers=True) as service:
        request = ask("Hi")
        turn = await service.turns.start(request)
        [occupant] = await storage.coordination.turns.occupants(turn.conversation_id)

    assert occupant.turn_id == turn.turn_id
    assert await storage.coordination.turns.occupants(turn.conversation_id) == []


async def test_the_processes_of_a_shared_storage_use_the_bus_that_is_named() -> None:
    plugins = load_plugins(Shared(), installed=False)

    async with open_service(CoreSettings(bus="wire"), plugins) as service:
        assert service.coordination.bus.inbox == "named"


class SharedParts:
    """A storage that says which processes serve it."""

    def __init__(self) -> None:
        self.storage = SharedInMemoryStorage()

    @hookimpl
    def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
        registry.add("shared", lambda: nullcontext(self.storage), is_shared=True)

    @hookimpl
    def idolchat_register_llm_providers(self, registry: Registry[LLMProvider]) -> None:
        registry.add("local", lambda: nullcontext(ScriptedProvider()))


async def test_the_others_know_of_a_process_that_drains() -> None:
    parts = SharedParts()
    plugins = load_plugins(parts, installed=False)
    async with open_service(CoreSettings(), plugins) as one, open_service(CoreSettings(), plugins):
        await one.turns.drain(grace_s=0)

        assert [instance.is_draining for instance in await parts.storage.instances()] == [True, False]
