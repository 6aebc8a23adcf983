"""How plugins are found, checked and loaded."""

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pluggy import HookspecMarker

from idolchat_core import Registry, Storage, hookimpl
from idolchat_core.errors import ConfigurationError, PluginBroken, PluginError, PluginNameTaken, PluginNotFound
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import InMemoryStorage


class MemoryPlugin:
    @hookimpl
    def idolchat_register_storages(self, registry: Registry[Storage]) -> None:
        registry.add("memory", lambda: nullcontext(InMemoryStorage()))


def test_a_plugin_that_is_handed_over_registers_its_parts() -> None:
    plugins = load_plugins(MemoryPlugin(), installed=False)

    assert list(plugins.storages) == ["memory"]
    assert list(plugins.llm_providers) == []


def test_a_name_taken_twice_is_an_error_that_names_both() -> None:
    class Another(MemoryPlugin):
        """Register the same name."""

    with pytest.raises(PluginNameTaken, match="Another registers the storage 'memory', which MemoryPlugin already has"):
        load_plugins(MemoryPlugin(), Another(), installed=False)


def test_a_misspelt_hook_is_an_error_that_tells_the_hooks_there_are() -> None:
    class Misspelt:
        @hookimpl
        def idolchat_register_storage(self, registry: Any) -> None:
            """Have one letter too few in the name."""

    with pytest.raises(PluginBroken, match=r"idolchat_register_storage, no hook .* idolchat_register_storages"):
        load_plugins(Misspelt(), installed=False)


def test_a_hook_of_another_package_may_be_optional() -> None:
    class ForTheCommandLine:
        @hookimpl(optionalhook=True)
        def idolchat_register_commands(self, group: Any) -> None:
            """Belong to a package that is not here."""

    assert load_plugins(ForTheCommandLine(), installed=False).loaded[0].error is None


def test_an_unknown_name_is_an_error_that_tells_what_is_installed() -> None:
    plugins = load_plugins(MemoryPlugin(), installed=False)

    with pytest.raises(PluginNotFound, match="no storage named 'redis'; installed: memory"):
        plugins.storages.get("redis")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Return a function that installs a distribution of one module, as an installer would leave it on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def installed(name: str, code: str) -> None:
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
        (info / "entry_points.txt").write_text(f"[idolchat]\n{name} = {module}\n")
        made.append(module)

    yield installed
    for module in made:
        sys.modules.pop(module, None)


GOOD = """
from idolchat_core import hookimpl
from idolchat_core.testing import InMemoryStorage

@hookimpl
def idolchat_register_storages(registry):
    registry.add("good", lambda: nullcontext(InMemoryStorage()))
"""


def test_an_installed_plugin_is_found_with_its_distribution_and_version(install: Callable[[str, str], None]) -> None:
    install("idolchat-good", GOOD)
    plugins = load_plugins(only=["idolchat-good"])

    assert [(p.distribution, p.version, p.hooks) for p in plugins.loaded] == [
        ("idolchat-good", "1.2.3", ("idolchat_register_storages",))
    ]
    assert plugins.storages.origin("good") == "idolchat-good 1.2.3"


def test_a_plugin_that_fails_to_import_is_an_error_that_names_the_distribution(
    install: Callable[[str, str], None],
) -> None:
    install("idolchat-bad", "import a_module_that_is_not_there")

    with pytest.raises(PluginBroken, match=r"idolchat-bad 1\.2\.3 cannot be imported.*a_module_that_is_not_there"):
        load_plugins(only=["idolchat-bad"])


def test_what_cannot_be_loaded_can_be_told_instead_of_raised(install: Callable[[str, str], None]) -> None:
    install("idolchat-bad", "1 / 0")
    install("idolchat-good", GOOD)
    plugins = load_plugins(only=["idolchat-bad", "idolchat-good"], strict=False)

    assert [plugin.error is None for plugin in plugins.loaded] == [False, True]
    assert list(plugins.storages) == ["good"]


def test_no_plugin_is_loaded_from_an_empty_list(install: Callable[[str, str], None]) -> None:
    install("idolchat-good", GOOD)

    assert load_plugins(only=[]).loaded == []


def test_a_plugin_that_is_named_but_not_installed_is_an_error() -> None:
    with pytest.raises(PluginError, match="IDOLCHAT_PLUGINS names 'nothing-here'"):
        load_plugins(only=["nothing-here"])


def test_further_hooks_can_be_specified() -> None:
    specs = ModuleType("specs")
    specs.idolchat_register_commands = _spec  # type: ignore[attr-defined]

    class Commands:
        @hookimpl
        def idolchat_register_commands(self, group: list[str]) -> None:
            group.append("added")

    plugins, group = load_plugins(Commands(), installed=False, specs=[specs]), list[str]()
    plugins.manager.hook.idolchat_register_commands(group=group)

    assert group == ["added"]


def _spec(group: list[str]) -> None:
    """Add commands."""


_spec.idolchat_spec = {"firstresult": False, "historic": False, "warn_on_impl": None, "warn_on_impl_args": None}  # type: ignore[attr-defined]


def test_a_hook_that_fails_is_an_error_that_names_the_plugin() -> None:
    class Failing:
        @hookimpl
        def idolchat_register_storages(self, registry: Any) -> None:
            raise RuntimeError("no luck")

    with pytest.raises(PluginBroken, match=r"Failing fails in idolchat_register_storages: .*no luck"):
        load_plugins(Failing(), installed=False)


def test_a_setting_that_a_hook_finds_wrong_is_told_in_its_words() -> None:
    class Failing:
        @hookimpl
        def idolchat_register_storages(self, registry: Any) -> None:
            raise ConfigurationError("KEY is 5; write a text")

    with pytest.raises(PluginBroken, match=r"fails in idolchat_register_storages: KEY is 5; write a text$"):
        load_plugins(Failing(), installed=False)


def test_one_plugin_is_not_loaded_twice() -> None:
    with pytest.raises(PluginNameTaken, match="MemoryPlugin"):
        load_plugins(MemoryPlugin(), MemoryPlugin(), installed=False)


def test_a_hook_of_another_package_fills_what_that_package_gives() -> None:
    class ForTheCommandLine:
        @hookimpl(optionalhook=True)
        def idolchat_register_commands(self, registry: Commands) -> None:
            registry.names.append("supabase")

    commands = Commands()
    load_plugins(
        ForTheCommandLine(),
        installed=False,
        specs=[spec_of("idolchat_register_commands")],
        registries={"idolchat_register_commands": commands},
    )

    assert (commands.origins, commands.names) == (["ForTheCommandLine"], ["supabase"])


class Commands:
    def __init__(self) -> None:
        self.origins: list[str] = []
        self.names: list[str] = []

    def adding_from(self, origin: str) -> None:
        self.origins.append(origin)


def spec_of(hook: str) -> ModuleType:
    def specified(registry: Any) -> None:
        """Add to what the package gives."""

    module = ModuleType("hookspecs_of_another_package")
    setattr(module, hook, HookspecMarker("idolchat")(specified))
    return module
