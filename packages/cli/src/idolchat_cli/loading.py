"""Load all plugins, to look at them: one that cannot be used is no error here."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from idolchat_cli import hookspecs
from idolchat_cli.registry import CheckRegistry, CommandRegistry
from idolchat_core.plugins import Plugins, load_plugins

__all__ = ["Everything", "load_everything"]


class Everything(NamedTuple):
    """What plugins add, to core, to the command line and to its doctor."""

    plugins: Plugins
    commands: CommandRegistry
    checks: CheckRegistry


def load_everything(*, only: Collection[str] | None) -> Everything:
    """Load the plugins that ``only`` names (None: all). Raises ``PluginError`` for a name that is not installed."""
    commands, checks = CommandRegistry(), CheckRegistry()
    plugins = load_plugins(
        only=only,
        specs=[hookspecs],
        registries={"idolchat_register_commands": commands, "idolchat_register_checks": checks},
        strict=False,
    )
    return Everything(plugins, commands, checks)
