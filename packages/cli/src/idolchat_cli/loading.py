"""Load all plugins, to look at them: one that cannot be used is no error here."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from idolchat_cli import hookspecs
from idolchat_cli.registry import CheckRegistry, CommandRegistry
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.plugins.registry import ServiceRegistry

__all__ = ["Everything", "load_everything"]


class Everything(NamedTuple):
    """What plugins add, to core, to the command line and its doctor, and to the server where it is installed."""

    plugins: Plugins
    commands: CommandRegistry
    checks: CheckRegistry
    authenticators: ServiceRegistry[Any]


def load_everything(*, only: Collection[str] | None) -> Everything:
    """Load the plugins that ``only`` names (None: all). Raises ``PluginError`` for a name that is not installed."""
    commands, checks, authenticators = CommandRegistry(), CheckRegistry(), ServiceRegistry[Any]("authentication scheme")
    fillable = {"idolchat_register_commands": commands, "idolchat_register_checks": checks}
    server = _hooks_of_the_server()
    plugins = load_plugins(
        only=only,
        specs=[hookspecs, *server],
        registries=fillable | ({"idolchat_register_authenticators": authenticators} if server else {}),
        strict=False,
    )
    return Everything(plugins, commands, checks, authenticators)


def _hooks_of_the_server() -> list[ModuleType]:
    return [import_module("idolchat_api.hookspecs")] if find_spec("idolchat_api") else []
