"""A plugin as programs are told of it."""

from __future__ import annotations

from pydantic import Field

from idolchat_cli.loading import Everything
from idolchat_cli.results import Problem, Result
from idolchat_core.plugins.loader import LoadedPlugin

__all__ = ["PluginInfo", "describe"]

PREFIX = "idolchat_register_"
NAMED = frozenset(f"{PREFIX}{kind}" for kind in ("storages", "buses", "llm_providers", "authenticators", "commands"))
"""Hooks whose parts have names that people write."""


class PluginInfo(Result):
    """A plugin that is installed."""

    name: str = Field(description="name of its entry point, which IDOLCHAT_PLUGINS uses")
    distribution: str | None = Field(description="what pip installed")
    version: str | None
    hooks: tuple[str, ...] = Field(description="which hooks it implements")
    storages: tuple[str, ...] = Field(description="names for IDOLCHAT_STORAGE")
    buses: tuple[str, ...] = Field(description="names for IDOLCHAT_BUS")
    llm_providers: tuple[str, ...] = Field(description="names for IDOLCHAT_LLM")
    authenticators: tuple[str, ...] = Field(description="names for IDOLCHAT_AUTH, where the server is installed")
    commands: tuple[str, ...] = Field(description="commands of idol")
    error: Problem | None = Field(description="why it cannot be used; null when it is in use")

    @property
    def parts(self) -> list[str]:
        """List in words what it adds."""
        return [
            *(f"storage {name}" for name in self.storages),
            *(f"bus {name}" for name in self.buses),
            *(f"model provider {name}" for name in self.llm_providers),
            *(f"authentication scheme {name}" for name in self.authenticators),
            *(f"command {name}" for name in self.commands),
            *(hook.removeprefix(PREFIX).replace("_", " ") for hook in self.hooks if hook not in NAMED),
        ]


def describe(plugin: LoadedPlugin, found: Everything) -> PluginInfo:
    """Describe a plugin: what it is, what it adds, why it cannot be used."""
    mine = str(plugin)
    storages, buses, providers = found.plugins.storages, found.plugins.buses, found.plugins.llm_providers
    return PluginInfo(
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        hooks=plugin.hooks,
        storages=tuple(name for name in storages if storages.origin(name) == mine),
        buses=tuple(name for name in buses if buses.origin(name) == mine),
        llm_providers=tuple(name for name in providers if providers.origin(name) == mine),
        authenticators=tuple(name for name in found.authenticators if found.authenticators.origin(name) == mine),
        commands=tuple(name for name in found.commands if found.commands.origin(name) == mine),
        error=Problem.of(plugin.error) if plugin.error else None,
    )
