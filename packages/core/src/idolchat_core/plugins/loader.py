"""Find plugins, check them, and let them fill the registries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Protocol

import pluggy

from idolchat_core.characters.contract import CharacterDirectory
from idolchat_core.coordination.contract import Bus
from idolchat_core.errors import IdolchatError, PluginBroken, PluginError, PluginNameTaken
from idolchat_core.llm.contract import LLMProvider
from idolchat_core.plugins import hookspecs
from idolchat_core.plugins.registry import NamespaceRegistry, Registry, ServiceRegistry, StorageRegistry
from idolchat_core.prompt.sources import PromptSource
from idolchat_core.storage.changes import ChangeObserver
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.conversation_data import ConversationData
from idolchat_core.storage.user_data import UserData

__all__ = ["Fillable", "LoadedPlugin", "Plugins", "load_plugins"]

ENTRY_POINT_GROUP = "idolchat"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """A plugin that was found; ``error`` says why it could not be used, None when it is in use.

    ``distribution`` and ``version`` are None for one that was handed to ``load_plugins``.
    """

    name: str
    distribution: str | None = None
    version: str | None = None
    hooks: tuple[str, ...] = ()
    error: PluginError | None = None

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}" if self.distribution else self.name


class Fillable(Protocol):
    """What a hook fills: a ``Registry``, or another package's own."""

    def adding_from(self, origin: str) -> None:
        """Describe whose registrations follow."""


@dataclass(slots=True)
class Plugins:
    """What the plugins registered."""

    manager: pluggy.PluginManager
    storages: Registry[Storage] = field(default_factory=lambda: Registry[Storage]("storage"))
    llm_providers: Registry[LLMProvider] = field(default_factory=lambda: Registry[LLMProvider]("LLM provider"))
    buses: Registry[Bus] = field(default_factory=lambda: Registry[Bus]("bus"))
    prompt_sources: ServiceRegistry[PromptSource] = field(
        default_factory=lambda: ServiceRegistry[PromptSource]("prompt source")
    )
    character_directories: ServiceRegistry[CharacterDirectory] = field(
        default_factory=lambda: ServiceRegistry[CharacterDirectory]("character directory")
    )
    change_observers: ServiceRegistry[ChangeObserver] = field(
        default_factory=lambda: ServiceRegistry[ChangeObserver]("change observer")
    )
    mirrored_records: NamespaceRegistry = field(default_factory=NamespaceRegistry)
    conversation_data: StorageRegistry[ConversationData] = field(
        default_factory=lambda: StorageRegistry[ConversationData]("conversation data")
    )
    user_data: StorageRegistry[UserData] = field(default_factory=lambda: StorageRegistry[UserData]("user data"))
    loaded: list[LoadedPlugin] = field(default_factory=list)
    filled_by: dict[str, Fillable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.filled_by |= {
            "idolchat_register_storages": self.storages,
            "idolchat_register_llm_providers": self.llm_providers,
            "idolchat_register_buses": self.buses,
            "idolchat_register_prompt_sources": self.prompt_sources,
            "idolchat_register_character_directories": self.character_directories,
            "idolchat_register_change_observers": self.change_observers,
            "idolchat_register_mirrored_records": self.mirrored_records,
            "idolchat_register_conversation_data": self.conversation_data,
            "idolchat_register_user_data": self.user_data,
        }


def load_plugins(
    *plugins: object,
    installed: bool = True,
    only: Collection[str] | None = None,
    specs: Iterable[ModuleType] = (),
    registries: Mapping[str, Fillable] | None = None,
    strict: bool = True,
) -> Plugins:
    """Load the given plugins (modules or objects), and the installed ones unless ``installed`` is false.

    ``only`` limits the installed ones to these entry point names (None: all). ``specs`` are modules with further
    hook specifications; ``registries`` says by the names of these hooks what they fill, as their only argument,
    ``registry``. Raises a ``PluginError`` that names the distribution; with ``strict`` false it stands in
    ``Plugins.loaded`` instead, and the rest is loaded.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    for spec in (hookspecs, *specs):
        manager.add_hookspecs(spec)
    result = Plugins(manager, filled_by=dict(registries or {}))
    for plugin in plugins:
        _load(result, plugin, LoadedPlugin(name=getattr(plugin, "__name__", type(plugin).__name__)), strict=strict)
    for entry_point in _installed(only) if installed else ():
        _load(result, entry_point, _described(entry_point), strict=strict)
    return result


def _installed(only: Collection[str] | None) -> list[EntryPoint]:
    found = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    missing = sorted(set(only or ()) - found.keys())
    if missing:
        known = ", ".join(sorted(found)) or "none"
        raise PluginError(f"IDOLCHAT_PLUGINS names {missing[0]!r}, which is not installed; installed: {known}")
    return [found[name] for name in sorted(found) if only is None or name in only]


def _described(point: EntryPoint) -> LoadedPlugin:
    distribution = point.dist
    if distribution is None:
        return LoadedPlugin(name=point.name)
    return LoadedPlugin(name=point.name, distribution=distribution.name, version=distribution.version)


def _load(result: Plugins, plugin: object, about: LoadedPlugin, *, strict: bool) -> None:
    try:
        implementation = _imported(plugin, about)
        hooks = _register(result, implementation, about)
    except PluginError as error:
        if strict:
            raise
        result.loaded.append(_with(about, error=error))
    else:
        result.loaded.append(_with(about, hooks=hooks))


def _with(about: LoadedPlugin, *, hooks: tuple[str, ...] = (), error: PluginError | None = None) -> LoadedPlugin:
    return LoadedPlugin(
        name=about.name, distribution=about.distribution, version=about.version, hooks=hooks, error=error
    )


def _imported(plugin: object, about: LoadedPlugin) -> object:
    if not isinstance(plugin, EntryPoint):
        return plugin
    try:
        return plugin.load()
    except Exception as error:  # whatever a stranger's module raises while it is imported
        raise PluginBroken(f"the plugin {about} cannot be imported: {error!r}") from error


def _register(result: Plugins, plugin: object, about: LoadedPlugin) -> tuple[str, ...]:
    manager = result.manager
    try:
        manager.register(plugin, name=about.name)
    except ValueError as error:
        raise PluginNameTaken(f"the plugin {about} is called {about.name!r}, as one that is loaded already") from error
    callers = manager.get_hookcallers(plugin) or []
    unknown = [
        caller.name
        for caller in callers
        if not caller.has_spec() and not all(impl.optionalhook for impl in caller.get_hookimpls())
    ]
    if unknown:
        manager.unregister(plugin)
        known = ", ".join(sorted(name for name in vars(manager.hook) if getattr(manager.hook, name).has_spec()))
        raise PluginBroken(f"the plugin {about} implements {unknown[0]}, no hook of ours; those are {known}")
    others = [other for other in manager.get_plugins() if other is not plugin]
    for hook, registry in result.filled_by.items():
        _fill(registry, manager.subset_hook_caller(hook, others), about)
    return tuple(sorted(caller.name for caller in callers))


def _fill(registry: Fillable, hook: pluggy.HookCaller, about: LoadedPlugin) -> None:
    registry.adding_from(str(about))
    try:
        hook(registry=registry)
    except PluginError:
        raise
    except Exception as error:  # whatever a stranger's hook raises
        why = str(error) if isinstance(error, IdolchatError) else repr(error)
        raise PluginBroken(f"the plugin {about} fails in {hook.name}: {why}") from error
