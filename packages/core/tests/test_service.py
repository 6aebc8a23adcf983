"""Which parts are chosen, and how they are opened."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext

import pytest

from idolchat_core import LLMProvider, Registry, Storage, hookimpl
from idolchat_core.errors import ConfigurationError, StorageUnavailable
from idolchat_core.mirror import MirroredStorage
from idolchat_core.plugins import Plugins, load_plugins
from idolchat_core.request import TurnRequest
from idolchat_core.service import choose_llm, choose_storages, open_service
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, ScriptedProvider


@asynccontextmanager
async def scripted() -> AsyncGenerator[ScriptedProvider]:
    yield ScriptedProvider()


def plugins_with(
    *, storages: dict[str, Callable[[], bool] | None], providers: dict[str, Callable[[], bool] | None]
) -> Plugins:
    class Parts:
        @hookimpl
        def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
            for name, when in storages.items():
                registry.add(name, lambda: nullcontext(InMemoryStorage()), when=when)

        @hookimpl
        def idolchat_register_llm_providers(self, registry: Registry[LLMProvider]) -> None:
            for name, when in providers.items():
                registry.add(name, scripted, when=when)

    return load_plugins(Parts(), installed=False)


def yes() -> bool:
    return True


def no() -> bool:
    return False


@pytest.mark.parametrize(
    ("setting", "storages", "chosen"),
    [
        ((), {"local": None}, ("local",)),
        ((), {"local": None, "supabase": yes}, ("local", "supabase")),
        ((), {"local": None, "supabase": no}, ("local",)),
        ((), {"other": None}, ("other",)),
        (("supabase",), {"local": None, "supabase": yes}, ("supabase",)),
    ],
)
def test_the_primary_storage_is_local_and_mirrored_to_those_that_are_set_up(
    setting: tuple[str, ...], storages: dict[str, Callable[[], bool] | None], chosen: tuple[str, ...]
) -> None:
    assert choose_storages(CoreSettings(storage=setting), plugins_with(storages=storages, providers={})) == chosen


@pytest.mark.parametrize(
    ("setting", "providers", "chosen"),
    [
        (None, {"local": None, "openrouter": no}, "local"),
        (None, {"local": None, "openrouter": yes}, "openrouter"),
        ("local", {"local": None, "openrouter": yes}, "local"),
    ],
)
def test_the_provider_is_the_one_that_is_set_up_or_else_the_local_one(
    setting: str | None, providers: dict[str, Callable[[], bool] | None], chosen: str
) -> None:
    assert choose_llm(CoreSettings(llm=setting), plugins_with(storages={}, providers=providers)) == chosen


def test_no_provider_is_an_error_that_says_what_to_set_or_install() -> None:
    with pytest.raises(ConfigurationError, match=r"OPENROUTER_API_KEY.*idolchat-llm-local"):
        choose_llm(CoreSettings(), plugins_with(storages={}, providers={"openrouter": no}))


def test_two_providers_that_are_set_up_are_an_error_that_names_them() -> None:
    with pytest.raises(ConfigurationError, match=r"one, two.*IDOLCHAT_LLM"):
        choose_llm(CoreSettings(), plugins_with(storages={}, providers={"one": yes, "two": yes}))


@pytest.mark.parametrize(
    ("setting", "variable"), [({"storage": ("s3",)}, "IDOLCHAT_STORAGE"), ({"llm": "x"}, "IDOLCHAT_LLM")]
)
def test_a_name_that_is_not_installed_is_an_error_that_names_the_variable(
    setting: dict[str, object], variable: str
) -> None:
    plugins = plugins_with(storages={"local": None}, providers={"local": None})
    settings = CoreSettings.model_validate(setting)

    with pytest.raises(ConfigurationError, match=rf"{variable} names .*installed: local"):
        choose_storages(settings, plugins), choose_llm(settings, plugins)


def test_no_storage_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(ConfigurationError, match="idolchat-storage-local"):
        choose_storages(CoreSettings(), plugins_with(storages={}, providers={}))


async def test_an_open_service_answers() -> None:
    plugins = plugins_with(storages={"local": None}, providers={"local": None})
    async with open_service(CoreSettings(), plugins) as service:
        request = TurnRequest.model_validate({"messages": [{"role": "user", "content": "Hi"}]})
        ended = await (await service.turns.start(request)).ended()

    assert ended.message is not None
    assert ended.message.content == "Hi"


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


@pytest.mark.parametrize("opens_at", [1, 3], ids=["at once", "later"])
async def test_what_is_said_is_copied_to_the_mirrors(opens_at: int) -> None:
    plugin = MirrorPlugin(opens_at=opens_at)
    settings = CoreSettings.model_validate({"storage": ("local", "objects")})
    async with open_service(settings, load_plugins(plugin, installed=False), recovers=True) as service:
        request = TurnRequest.model_validate({"messages": [{"role": "user", "content": "Hi"}]})
        turn = await service.turns.start(request)
        await turn.ended()
        assert isinstance(service.storage, MirroredStorage)
        async with asyncio.timeout(30):
            await service.storage.has_copied()

        assert await plugin.mirror.read(turn.conversation_id) == await plugin.primary.read(turn.conversation_id)
        assert (service.mirror.pending, service.mirror.is_ok) == (0, True)


async def test_a_mirror_that_is_not_set_up_stops_the_start() -> None:
    settings = CoreSettings.model_validate({"storage": ("local", "wrong")})

    with pytest.raises(ConfigurationError, match="MIRROR_KEY is not set"):
        async with open_service(settings, load_plugins(MirrorPlugin(), installed=False)):
            pass


def test_a_storage_cannot_mirror_itself() -> None:
    plugins = plugins_with(storages={"local": None}, providers={})

    with pytest.raises(ConfigurationError, match="twice"):
        choose_storages(CoreSettings.model_validate({"storage": ("local", "local")}), plugins)
