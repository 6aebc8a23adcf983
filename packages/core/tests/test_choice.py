"""Which parts the settings choose."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from idolchat_core import LLMProvider, Registry, Storage, hookimpl
from idolchat_core.choice import choose_llm, choose_storages, is_shared, open_bus, open_storage
from idolchat_core.coordination.contract import Bus
from idolchat_core.coordination.local import LocalBus
from idolchat_core.errors import ConfigurationError
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider, SharedInMemoryStorage


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
                registry.add(name, lambda: nullcontext(ScriptedProvider()), when=when)

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


def test_a_storage_cannot_mirror_itself() -> None:
    plugins = plugins_with(storages={"local": None}, providers={})

    with pytest.raises(ConfigurationError, match="twice"):
        choose_storages(CoreSettings.model_validate({"storage": ("local", "local")}), plugins)


async def test_a_bus_is_found_by_its_name() -> None:
    plugins = plugin_of(SharedInMemoryStorage(), is_shared=True)

    async with open_bus(CoreSettings(storage=("one",), bus="wire"), plugins) as bus:
        assert bus is not None
        assert bus.inbox == "here"


async def test_without_a_name_the_storage_brings_its_bus() -> None:
    async with open_bus(CoreSettings(storage=("one",)), plugin_of(SharedInMemoryStorage(), is_shared=True)) as bus:
        assert bus is None


@pytest.mark.parametrize(
    ("storage", "bus", "message"),
    [
        ("one", "nats", r"IDOLCHAT_BUS names 'nats'; installed: wire$"),
        ("two", "wire", r"IDOLCHAT_BUS is 'wire', but one server alone serves the storage 'two'.*unset IDOLCHAT_BUS"),
    ],
    ids=["unknown", "nobody to send to"],
)
async def test_a_bus_that_cannot_be_had_is_refused(storage: str, bus: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        async with open_bus(
            CoreSettings(storage=(storage,), bus=bus), plugin_of(SharedInMemoryStorage(), is_shared=True)
        ):
            pass


def plugin_of(storage: Storage, *, is_shared: bool) -> Plugins:
    class Part:
        @hookimpl
        def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
            registry.add("one", lambda: nullcontext(storage), is_shared=is_shared)
            registry.add("two", lambda: nullcontext(InMemoryStorage()))

        @hookimpl
        def idolchat_register_buses(self, registry: Registry[Bus]) -> None:
            registry.add("wire", lambda: nullcontext(LocalBus("here")))

    return load_plugins(Part(), installed=False)


def test_whether_the_chosen_storage_is_shared_is_known_before_it_is_opened() -> None:
    plugins = plugin_of(SharedInMemoryStorage(), is_shared=True)

    assert is_shared(CoreSettings(storage=("one",)), plugins)
    assert not is_shared(CoreSettings(storage=("two", "one")), plugins)


@pytest.mark.parametrize(("storage", "said"), [(SharedInMemoryStorage(), False), (InMemoryStorage(), True)])
async def test_a_storage_that_is_not_shared_as_it_was_registered_is_refused(storage: Storage, said: bool) -> None:
    plugins = plugin_of(storage, is_shared=said)

    with pytest.raises(ConfigurationError, match=rf"'one' with is_shared={said}, and it says {not said}"):
        async with open_storage(CoreSettings(storage=("one",)), plugins):
            pass
