"""What a plugin can add to ``idol``.

Mark an implementation ``@hookimpl(optionalhook=True)``, so that the plugin loads where idolchat-cli is not installed.
"""

from __future__ import annotations

from idolchat_cli.registry import CheckRegistry, CommandRegistry
from idolchat_core.plugins.hookspecs import hookspec

__all__ = ["idolchat_register_checks", "idolchat_register_commands"]


@hookspec
def idolchat_register_commands(registry: CommandRegistry) -> None:
    """Add commands and groups: ``registry.add("hello", "idolchat_hello.commands:app", help="Say hello.")``."""


@hookspec
def idolchat_register_checks(registry: CheckRegistry) -> None:
    """Add what ``idol doctor`` shall look at.

    ``registry.add("characters", "idolchat_characters.checks:check_characters")``
    """
